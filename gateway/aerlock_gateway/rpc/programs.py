"""ProgramService: each method is a line between its messages and the rules."""

from typing import Any

import grpc

from aerlock.v1 import programs_pb2, programs_pb2_grpc
from aerlock_gateway.core.catalog import Catalog
from aerlock_gateway.core.program_grants import ProgramGrants
from aerlock_gateway.rpc.interceptors import caller

Context = grpc.aio.ServicerContext[Any, Any]

# The methods are described in protos/aerlock/v1, and named as there.
# ruff: noqa: N802, D102


class ProgramService(programs_pb2_grpc.ProgramServiceServicer):
    """See protos/aerlock/v1/programs.proto."""

    def __init__(self, catalog: Catalog, grants: ProgramGrants) -> None:
        self._catalog = catalog
        self._grants = grants

    async def UploadProgram(
        self, request: programs_pb2.UploadProgramRequest, context: Context
    ) -> programs_pb2.UploadProgramResponse:
        return programs_pb2.UploadProgramResponse(program=await self._catalog.upload(caller.get(), request))

    async def GetProgram(
        self, request: programs_pb2.GetProgramRequest, context: Context
    ) -> programs_pb2.GetProgramResponse:
        return programs_pb2.GetProgramResponse(program=await self._catalog.get(caller.get(), request))

    async def ListPrograms(
        self, request: programs_pb2.ListProgramsRequest, context: Context
    ) -> programs_pb2.ListProgramsResponse:
        programs, token = await self._catalog.list_programs(caller.get(), request)
        return programs_pb2.ListProgramsResponse(programs=programs, next_page_token=token)

    async def ListProgramRevisions(
        self, request: programs_pb2.ListProgramRevisionsRequest, context: Context
    ) -> programs_pb2.ListProgramRevisionsResponse:
        programs, token = await self._catalog.list_revisions(caller.get(), request)
        return programs_pb2.ListProgramRevisionsResponse(programs=programs, next_page_token=token)

    async def UpdateProgram(
        self, request: programs_pb2.UpdateProgramRequest, context: Context
    ) -> programs_pb2.UpdateProgramResponse:
        return programs_pb2.UpdateProgramResponse(program=await self._catalog.update(caller.get(), request))

    async def DeleteProgram(
        self, request: programs_pb2.DeleteProgramRequest, context: Context
    ) -> programs_pb2.DeleteProgramResponse:
        await self._catalog.delete(caller.get(), request.program_id)
        return programs_pb2.DeleteProgramResponse()

    async def SetProgramGrant(
        self, request: programs_pb2.SetProgramGrantRequest, context: Context
    ) -> programs_pb2.SetProgramGrantResponse:
        return programs_pb2.SetProgramGrantResponse(grant=await self._grants.put(caller.get(), request))

    async def DeleteProgramGrant(
        self, request: programs_pb2.DeleteProgramGrantRequest, context: Context
    ) -> programs_pb2.DeleteProgramGrantResponse:
        await self._grants.delete(caller.get(), request)
        return programs_pb2.DeleteProgramGrantResponse()

    async def ListProgramGrants(
        self, request: programs_pb2.ListProgramGrantsRequest, context: Context
    ) -> programs_pb2.ListProgramGrantsResponse:
        grants, token = await self._grants.list_grants(caller.get(), request)
        return programs_pb2.ListProgramGrantsResponse(grants=grants, next_page_token=token)
