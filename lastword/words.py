"""Words and #tags, as people write them and as they are compared."""

import unicodedata

import regex

_WORD = r"[\p{L}\p{M}\p{N}_]+"
_ONE_WORD = regex.compile(_WORD)
_WORD_OR_TAG = regex.compile(rf"[#\uff03]?{_WORD}")
_COMPARED = regex.compile(f"#?{_WORD}")
# What nobody sees cannot make a word another one.
_UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}")


def is_word(text: str) -> bool:
    """Tell whether it is one word, without a #."""
    return _ONE_WORD.fullmatch(text) is not None


def is_word_or_tag(text: str) -> bool:
    """Tell whether it is one word, or one #tag."""
    return _WORD_OR_TAG.fullmatch(text) is not None


def comparable(text: str) -> str:
    """Return the text as words are compared: one letter however it is written.

    Compatibility matters (UAX #15): keyboards for Chinese and Japanese give a wide #, and the
    sites that posts come from take it for what it means.
    """
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFKC", text)


def found_in(compared: str) -> set[str]:
    """Return the words and #tags of a text that `comparable` gave."""
    return set(_COMPARED.findall(compared))
