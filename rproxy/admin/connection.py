"""One HTTP/1.1 connection of an operator: bytes in, pages out. h11 knows the protocol."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus

import h11

from rproxy import __version__
from rproxy.admin.pages import AdminSource, Request, Response, answer, refusal

HEAD_LIMIT = 16 * 1024
"""Bytes of a request's head."""
READ_WITHIN = 10.0
"""Seconds that a request may take to come, from the opening of the connection or the answer before it."""
_WRITE_WITHIN = 10.0
"""Seconds that an answer may take to leave."""
_LINGER = 1.0
"""Seconds to wait for the client's end after ours: what it still sends would make the system discard our answer."""


class Connection:
    """Answers requests one after the other. A request's body is not read: the connection ends with the answer."""

    def __init__(self, source: AdminSource, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_answering = False
        self.is_last_answer = False
        """Whether the connection is to end with the answer under way."""
        self._source = source
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)

    async def serve(self) -> None:
        """Answer until either side ends it, and close the connection."""
        self._writer.transport.set_write_buffer_limits(0)  # drain() returns when everything has left
        try:
            while await self._serve_request():
                self._http.start_next_cycle()
            await self._linger()
        except OSError:
            pass  # the client is gone, or takes no answer
        finally:
            self._writer.transport.abort()

    async def _serve_request(self) -> bool:
        """Whether there was a request and there may be another."""
        try:
            async with asyncio.timeout(READ_WITHIN):
                request = await self._receive()
        except TimeoutError:
            has_begun = bool(self._http.trailing_data[0])
            return has_begun and await self._send(refusal(HTTPStatus.REQUEST_TIMEOUT))
        except h11.RemoteProtocolError as error:
            return await self._send(refusal(error.error_status_hint))
        if request is None:
            return False
        self.is_answering = True
        may_go_on = await self._send(await answer(self._source, request), is_head=request.method == "HEAD")
        self.is_answering = False
        return may_go_on

    async def _receive(self) -> Request | None:
        """The next request, or ``None`` if the client has ended the connection."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(HEAD_LIMIT))
        if not isinstance(event, h11.Request):
            return None
        self._http.next_event()  # the end of a request without a body
        return _request(event)

    async def _send(self, response: Response, *, is_head: bool = False) -> bool:
        """Send the answer; whether the client may ask again."""
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Server", f"rproxy/{__version__}"),
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            *response.headers,
        ]
        is_cut = self._http.their_state in {h11.IDLE, h11.SEND_BODY, h11.ERROR}  # the request has not ended
        if is_cut or self.is_last_answer:
            headers.append(("Connection", "close"))
        reason = HTTPStatus(response.status).phrase
        events = [
            h11.Response(status_code=response.status, reason=reason, headers=headers),
            h11.Data(data=b"" if is_head else response.body),
            h11.EndOfMessage(),
        ]
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        async with asyncio.timeout(_WRITE_WITHIN):
            await self._writer.drain()
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _linger(self) -> None:
        """End our side, and wait a little for the client's end. In TLS that is one and the same."""
        if self._writer.transport.is_closing():
            return
        if not self._writer.can_write_eof():
            self._writer.close()
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_LINGER):
                    await self._writer.wait_closed()
            return
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(HEAD_LIMIT):
                    pass


def _request(head: h11.Request) -> Request:
    """What the pages see of a request's head."""

    def header(wanted: bytes) -> str:
        return ", ".join(value.decode("latin-1") for name, value in head.headers if name == wanted)

    path = head.target.decode("latin-1").partition("?")[0]
    return Request(head.method.decode("latin-1"), path, header(b"accept"), header(b"accept-encoding"))
