"""User Tune (XEP-0118): the status as the title of what the user hears, with the post's address.

Music players publish there as well, and whoever comes last is seen: hence an opt-in.
"""

from xml.etree.ElementTree import Element, SubElement

from lastword.post import Post
from lastword.publishers.pep_single import Single
from lastword.status import clean

_NS = "http://jabber.org/protocol/tune"


class Tune(Single):
    """The user's tune. See `pep.Kept`."""

    NODE = _NS
    TEXT = f"{{{_NS}}}tune/{{{_NS}}}title"

    def payload(self, status: str | None, post: Post | None) -> Element:
        tune = Element(f"{{{_NS}}}tune")
        if status is not None:
            SubElement(tune, f"{{{_NS}}}title").text = status
            if post and post.url:
                SubElement(tune, f"{{{_NS}}}uri").text = clean(post.url)
        return tune
