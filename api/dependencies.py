"""What routes are handed, as ``Annotated`` aliases."""

from typing import Annotated

from fastapi import Depends, Request

from api.composition import Services
from api.load.caller import Caller


# Not plain functions, which FastAPI would call in a thread, and wait for it, each time.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _caller(request: Request) -> Caller:
    state = request.state
    return Caller(state.request_id, state.key_id, state.client)


ServicesDep = Annotated[Services, Depends(_services)]
CallerDep = Annotated[Caller, Depends(_caller)]
