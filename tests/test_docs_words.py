"""Links and numbers in the README and in docs/, and the cards of the models."""

import json
import pkgutil
import re
from urllib.parse import urlsplit

import pytest

from asr_qat.models.model_directory import weights_checksum
from tests.docs_pages import PAGES, exists, spans, text_of
from tests.training_fixtures import REPOSITORY

CARDS = sorted((REPOSITORY / "models").glob("*/README.md"))
ENCODER = "librispeech_tiny_float"  # to start from, and no recogniser
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"(asr_qat|tflite_export|experiments|tests|configs|docs|examples|results|models)/[\w./]*\w/?"
)
DOTTED = re.compile(r"(asr_qat|tflite_export|experiments)(\.\w+)+")
OF_A_READER = {"results/my_study"}  # what an example on a page writes
RATE = re.compile(r"(\d+\.\d)% (\[[\d., ]+\])")


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "data/README.md"])
def test_external_links_are_well_formed(page):
    for link in re.findall(r"https?://[^\s)>\"'`]+", text_of(page)):
        parts = urlsplit(link)
        local = parts.hostname == "localhost"
        assert parts.scheme == ("http" if local else "https"), link
        assert local or "." in (parts.hostname or ""), link


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_to_files_lead_somewhere(page):
    """Those between the pages of docs/ are checked by `make docs`."""
    folder = (REPOSITORY / page).parent.relative_to(REPOSITORY)
    for link in LINK.findall(text_of(page)):
        if not re.match(r"[a-z]+:|#", link):
            assert exists(str(folder / link.partition("#")[0])), link


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "data/README.md"])
def test_files_and_names_in_sentences_exist(page):
    for span in spans(page):
        if PATH.fullmatch(span):
            assert exists(span) or span in OF_A_READER, span
        elif DOTTED.fullmatch(span):
            pkgutil.resolve_name(span)


def test_the_table_of_the_readme_is_that_of_the_demo():
    def rows(text: str) -> dict[str, list[str]]:
        cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
        return {row[0]: row for row in cells if len(row) > 4}

    demo = rows((REPOSITORY / "results/demo.md").read_text())
    shown = rows(text_of("README.md"))
    header = [demo["Model"].index(name) for name in shown["CMU AN4, test set"][1:]]
    for name in set(demo) - {"Model", "---"}:
        assert shown[name][1:] == [demo[name][column] for column in header]


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.parent.name)
def test_cards_say_what_the_models_are(card):
    text = card.read_text()
    assert f"# {card.parent.name}\n" in text
    assert f"`{weights_checksum(card.parent)}`" in text
    for name in re.findall(r"`((?:configs|results)/[\w.]+)`", text):
        assert exists(name), name
    (line,) = [line for line in text.splitlines() if line.startswith("| Development")]
    best = min(each["wer"] for each in map(json.loads, card.with_name("history.jsonl").open()))
    assert f"{100 * best:.1f}%" in line
    if card.parent.name == ENCODER:
        return  # nothing is measured on its test set
    (line,) = [line for line in text.splitlines() if line.startswith("| Word error rate")]
    (source,) = re.findall(r"`(results/[\w.]+\.md)`", line)
    table = (REPOSITORY / source).read_text()
    rates = RATE.findall(line)
    assert rates
    for rate, interval in rates:
        assert f"| {rate} {interval} |" in table


def test_every_model_has_a_card():
    models = {path.parent for path in (REPOSITORY / "models").glob("*/config.json")}
    assert {card.parent for card in CARDS} == models
