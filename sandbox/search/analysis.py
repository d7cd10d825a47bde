"""The words that the index has of a text: what the analyser of its field makes of it.

The metastore's own analysers are in its addons/elasticsearch/es-settings.json, which field has which tell its models
(0010-base_model.json, and the test resource 007_all_custom_models.json) and `GraphBackedSearchIndexer`; stemming is left
out. Elasticsearch's own ones are in its reference, "Built-in analyzer reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.search.fields import NORMALISED

Analyser = Callable[[str], list[str]]


def words_in(field: str, text: str) -> list[str]:
    """The words of a text as a field's index has them, in their order."""
    return _analyser_of(field)(text)


def words_wanted(field: str, text: str) -> list[str]:
    """The words of a text that is looked for in a field. For one with delimiters those are its parts alone."""
    return _parts(text) if field.endswith(".delimiter") else words_in(field, text)


def _parted_at(separators: str) -> Analyser:
    """Words in lower case between separators; a number begins a word, and what follows an apostrophe is not in it."""

    def words(text: str) -> list[str]:
        parted = re.split(separators, re.sub(r"[0-9]+", r" \g<0>", text))
        shortened = (re.split("['’]", word)[0] for word in parted)
        return [word.lower() for word in shortened if word]

    return words


def _standard(text: str) -> list[str]:
    """The analyser of fields that name none: a dot or apostrophe within a word, and a comma within a number, part nothing."""
    return re.findall(r"\w+(?:(?:(?<=[^\W\d_])[.'’:](?=[^\W\d_])|(?<=\d)[.,';](?=\d))\w+)*", text.lower())


def _with_delimiters(text: str) -> list[str]:
    """The parts of a text, then all of it, as it is and without delimiters (`word_delimiter_graph`)."""
    parts, whole = _parts(text), text.strip().lower()
    return list(filter(None, dict.fromkeys([*parts, whole, "".join(parts)])))


def _parts(text: str) -> list[str]:
    """Parted at delimiters, where lower case turns upper, and between letters and digits; a possessive `'s` is left out."""
    own = re.sub(r"'s\b", "", text, flags=re.IGNORECASE)
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", own)
    return re.findall(r"(?:[^\W_]|')+", parted.lower())


_TEXT = _parted_at(r"[ _\-'/@]")
_NAME = _parted_at(r"[ _\-/@,;#&\".()\[\]{}:]")  # its unescaped `$` parts nothing
# By their names, as a query may name them.
ANALYSERS: dict[str, Analyser] = {
    "standard": _standard,
    "simple": lambda text: re.findall(r"[^\W\d_]+", text.lower()),
    "whitespace": str.split,
    "keyword": lambda text: [text] if text else [],
    "atlan_text_analyzer": _TEXT,
    "atlan_text_analyzer_v2": _NAME,
    "atlan_text_comma_analyzer": lambda text: list(filter(None, text.lower().split(","))),
}
OF_FIELDS: dict[str, Analyser] = {
    **dict.fromkeys((*NORMALISED, "searchInput", "assetMcIncidentNames", "assetMcMonitorNames"), _TEXT),
    **dict.fromkeys(("nosqlCollectionName", "assetDbtJobScheduleCronHumanized"), _TEXT),
    **dict.fromkeys(("__typeName", "__superTypeNames", "certificateStatus.text", "connectionName.text"), _standard),
    **dict.fromkeys(("name", "displayName", "description.text"), _NAME),
    "__classificationsText.text": ANALYSERS["whitespace"],
    "__meaningsText": ANALYSERS["atlan_text_comma_analyzer"],
    "request.dslText": lambda text: list(filter(None, re.split(r'["{}:\[\],]', text))),  # atlan_json_analyzer
}


def _analyser_of(field: str) -> Analyser:
    if field in OF_FIELDS:
        return OF_FIELDS[field]
    if field.endswith(".delimiter"):
        return _with_delimiters
    return _TEXT if field.endswith((".text", ".stemmed")) else _standard
