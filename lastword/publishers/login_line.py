"""The line of somebody who has logged in as the user."""

from xml.etree.ElementTree import Element

from slixmpp.exceptions import IqError

from lastword.publishers import refusals
from lastword.publishers.client import Client
from lastword.publishers.line import Kind


class LoginLine:
    """Asks within a session.

    Args:
        client: in session.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def domain(self) -> str:
        """The server. See `Line.domain`."""
        return self._client.domain

    def may_read(self, namespace: str) -> bool:
        """Users may read all of their own. See `Line.may_read`."""
        del namespace
        return True

    async def ask(self, kind: Kind, payload: Element, to: str | None = None) -> Element | None:
        """Send an IQ and return the answer. See `Line.ask`.

        Raises:
            Transient: the server did not answer, or cannot just now.
        """
        request = self._client.Iq(stype=kind)
        if to:
            request["to"] = to
        request.xml.append(payload)
        try:
            answer: Element = (await self._client.answer_to(request.send())).xml
        except IqError as error:
            if refusal := refusals.of_answer(error.etype, error.condition, self.domain):
                raise refusal from None
            return None
        return answer
