"""What a server lets a component do in its users' names (XEP-0356, version 0.4).

https://xmpp.org/extensions/xep-0356.html
"""

from itertools import count
from xml.etree.ElementTree import Element

from lastword.errors import LastWordError, Rejected, Systemic, Transient
from lastword.publishers import refusals
from lastword.publishers.component import Component, error_of
from lastword.publishers.line import Kind

NS = "urn:xmpp:privilege:2"
_CLIENT = "jabber:client"
_numbers = count(1)  # mod_privilege takes no two of the same name at a time
_INNER = f"{{{NS}}}privilege/{{urn:xmpp:forward:0}}forwarded/{{{_CLIENT}}}iq"


def granted(told: Element | None, *kinds: str) -> frozenset[str]:
    """Return the namespaces of requests that a component may both read and change.

    Args:
        told: the server's `<privilege/>`, or None where it has told nothing.
        kinds: `get` or `set`, where one of the two is enough.
    """
    if told is None or not told.tag.startswith(f"{{{NS}}}"):
        return frozenset()
    named = told.iterfind(f"{{{NS}}}perm[@access='iq']//{{{NS}}}namespace")
    return frozenset(one.get("ns", "") for one in named if one.get("type") in ("both", *kinds))


def missing(domain: str, component: str, told: Element | None, wanted: list[str]) -> Systemic:
    """Return what to tell an operator whose server lets us do nothing that is of use.

    Args:
        domain: the server.
        component: our name there.
        told: its `<privilege/>`, or None.
        wanted: namespaces, any of which would do.
    """
    if told is None:
        what = "gives the component no privilege"
    elif not told.tag.startswith(f"{{{NS}}}"):
        what = f"speaks an old form of privileges, {told.tag[1:].partition('}')[0][:40]}"
    else:
        what = "lets the component send no requests that are of use"
    rights = ", ".join(f'["{namespace}"] = "both"' for namespace in wanted)
    return Systemic(
        f"{domain} {what}: its configuration needs"
        f' modules_enabled = {{ "privilege" }} and privileged_entities ='
        f' {{ ["{component}"] = {{ iq = {{ {rights} }} }} }} (see docs/xmpp.md)',
        kind=f"operator:{domain}",
    )


class PrivilegedLine:
    """Asks in one user's name.

    Args:
        component: in session, and privileged.
        jid: the user's, bare.
    """

    def __init__(self, component: Component, jid: str) -> None:
        self._component = component
        self._jid = jid

    @property
    def domain(self) -> str:
        """The server. See `Line.domain`."""
        return self._jid.rpartition("@")[2]

    def may_read(self, namespace: str) -> bool:
        """As the server's operator says. See `Line.may_read`."""
        return namespace in granted(self._component.granted, "get")

    async def ask(self, kind: Kind, payload: Element, to: str | None = None) -> Element | None:
        """Send an IQ as the user, and return the answer to it. See `Line.ask`.

        Raises:
            Transient: no answer in time, or the server cannot just now.
            Rejected: there is no such user.
            Systemic: the server does not let us.
        """
        jid = self._jid
        attributes = {"type": kind, "id": f"{next(_numbers)}", "from": jid, "to": to or jid}
        inner = Element(f"{{{_CLIENT}}}iq", attributes)
        inner.append(payload)
        outer = Element(f"{{{NS}}}privileged_iq")
        outer.append(inner)
        answer = await self._component.ask(kind, outer, jid)
        if error := error_of(answer):
            # mod_privilege says no more where the request in it is refused, as for what is not
            # there yet.
            if error[1] == "internal-server-error":
                return None
            raise self._refusal(*error, payload)
        found = answer.find(_INNER)
        if found is None:
            raise Transient(f"{self.domain} answers a privileged request with nothing")
        if error := error_of(found):
            if refusal := refusals.of_answer(error[0], error[1], self.domain):
                raise refusal
            return None
        return found

    def _refusal(self, kind: str, condition: str, text: str, payload: Element) -> LastWordError:
        if refusal := refusals.of_answer(kind, condition, self.domain):
            return refusal
        if "local user" in text or condition == "item-not-found":
            return Rejected(
                f"{self.domain} has no such user: set the right JID with `lastword accounts edit`"
            )
        namespace = payload.tag[1:].partition("}")[0]
        return missing(self.domain, self._component.name, None, [namespace])
