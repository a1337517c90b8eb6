"""The voices of the synthetic corpus: which are trained on, and which only tested.

A voice of espeak-ng is a variant (the vocal tract: pitch, formants, breath, voicing, and
which of two synthesisers) together with an accent (the vowels, and how words are said).
Splits share no variant. Variants that are nearly the same as another (`iven2` and `iven`,
`f4` and `aunty`) and those that are no human voice (`whisper`, `robosoft`) are left out.
"""

ACCENTS = (
    "en",
    "en-029",  # Caribbean
    "en-gb-scotland",
    "en-gb-x-gbclan",  # Lancaster
    "en-gb-x-gbcwmd",  # West Midlands
    "en-gb-x-rp",  # received pronunciation
    "en-us",
    "en-us-nyc",
)

VARIANTS = {
    "train": tuple(
        "adam Alex Alicia Andy anika Annie antonio boris ed f1 f2 f3 f5 grandma gustave Hugo iven "
        "Jacky john klatt2 klatt4 m1 m3 m5 m7 m8 marcelo Marco Mario max michel Mike mike2 Nguyen "
        "norbert pablo pedro Reed sandro shelby zac".split()
    ),
    "dev": ("belinda", "edward", "m4", "paul"),
    "test": ("Andrea", "aunty", "david", "Gene", "m2", "robert", "steph", "victor"),
}
