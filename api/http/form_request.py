"""Requests whose forms are parsed by ``api.http.multipart``, and the route class for them."""

from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from api.http.header_parameters import parse_parameters
from api.http.multipart import read_multipart
from api.http.uploads import MAX_FIELD_BYTES, MAX_FORM_FIELDS


class FormRequest(Request):
    """A request whose form is read into memory, and only if it is multipart."""

    async def _get_form(
        self,
        *,
        max_files: float = 1,
        max_fields: float = MAX_FORM_FIELDS,
        max_part_size: int = MAX_FIELD_BYTES,
    ) -> FormData:
        if self._form is None:
            self._form = await self._read_form(max_files, max_fields, max_part_size)
        return self._form

    async def _read_form(self, max_files: float, max_fields: float, max_part_size: int) -> FormData:
        content_type = self.headers.get("content-type", "")
        if parse_parameters(content_type)[0] != "multipart/form-data":
            # Other content types cannot carry a file, so their bodies are not read.
            return FormData()
        async with aclosing(self.stream()) as stream:
            return await read_multipart(
                content_type,
                stream,
                max_files=max_files,
                max_fields=max_fields,
                max_part_size=max_part_size,
            )


class FormRoute(APIRoute):
    """A route whose requests are ``FormRequest``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler."""
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            return await handle(FormRequest(request.scope, request.receive))

        return handle_form
