"""Dependencies of routes, as ``Annotated`` aliases."""

from typing import Annotated

from fastapi import Depends, Request

from api.composition import Services
from api.fair_sharing.caller import Caller


# async, because FastAPI would call plain functions in a thread each time.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _caller(request: Request) -> Caller:
    state = request.state
    return Caller(state.request_id, state.key_id, state.client)


ServicesDep = Annotated[Services, Depends(_services)]
CallerDep = Annotated[Caller, Depends(_caller)]
