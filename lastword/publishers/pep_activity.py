"""User Activity (XEP-0108): the status as the words of an activity that says nothing else."""

from xml.etree.ElementTree import Element, SubElement

from lastword.post import Post
from lastword.publishers.pep_single import Single

_NS = "http://jabber.org/protocol/activity"


class Activity(Single):
    """The user's activity. See `pep.Kept`."""

    NODE = _NS
    TEXT = f"{{{_NS}}}activity/{{{_NS}}}text"

    def payload(self, status: str | None, post: Post | None) -> Element:
        del post
        activity = Element(f"{{{_NS}}}activity")
        if status is not None:
            SubElement(activity, f"{{{_NS}}}undefined")
            SubElement(activity, f"{{{_NS}}}text").text = status
        return activity
