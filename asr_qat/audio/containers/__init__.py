"""What containers say of themselves, checked against their bytes.

Decoders trust headers: where a header lies or a page is damaged they give fewer samples, or others,
without a word. `find.structure_of` looks at a recording before a decoder does.
"""
