"""Kinds of input, each a module with two functions.

    def prepare(folder: Path) -> State:
        '''Make small valid inputs in a folder, once for each process, and use each one.'''

    def attempt(state: State, chance: numpy.random.Generator, folder: Path) -> Verdict:
        '''Change one of them by chance, in an empty folder, and give it to the product.'''

The first use of a library belongs into `prepare`: a case has ten seconds. What several targets
need lies beside this folder, so that every module in it is a target.
"""
