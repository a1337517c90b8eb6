"""A corpus that needs no download: sentences of a small grammar, spoken by eSpeak NG's voices.

`corpus` makes it from `grammar`, `voices` and `audio`; `espeak_package` finds the synthesiser and
`espeak_process` runs it.
"""
