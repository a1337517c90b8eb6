"""One reader for each layout in which people hold a corpus: a folder in, a `Corpus` out.

`registry` lists them by name. What several share:
`rows` and `json_lines` (text files, with the line of each mistake), `splits` and `hold_out` (which
utterances are test and dev), `tar_members` and `unpack` (archives).
"""
