"""AccountService: each method is a line between its messages and the rules."""

from typing import Any

import grpc

from aerlock.v1 import accounts_pb2, accounts_pb2_grpc
from aerlock_gateway.core.accounts import Accounts
from aerlock_gateway.core.audit import list_entries
from aerlock_gateway.core.tokens import Tokens
from aerlock_gateway.rpc.interceptors import caller
from aerlock_gateway.store.database import Database

Context = grpc.aio.ServicerContext[Any, Any]

# The methods are described in protos/aerlock/v1, and named as there.
# ruff: noqa: N802, D102


class AccountService(accounts_pb2_grpc.AccountServiceServicer):
    """See protos/aerlock/v1/accounts.proto."""

    def __init__(self, database: Database, accounts: Accounts, tokens: Tokens) -> None:
        self._database = database
        self._accounts = accounts
        self._tokens = tokens

    async def CreateAccount(
        self, request: accounts_pb2.CreateAccountRequest, context: Context
    ) -> accounts_pb2.CreateAccountResponse:
        account = await self._accounts.create(caller.get(), request.account)
        return accounts_pb2.CreateAccountResponse(account=account)

    async def GetAccount(
        self, request: accounts_pb2.GetAccountRequest, context: Context
    ) -> accounts_pb2.GetAccountResponse:
        return accounts_pb2.GetAccountResponse(account=await self._accounts.get(caller.get(), request.name))

    async def ListAccounts(
        self, request: accounts_pb2.ListAccountsRequest, context: Context
    ) -> accounts_pb2.ListAccountsResponse:
        accounts, token = await self._accounts.list(caller.get(), request)
        return accounts_pb2.ListAccountsResponse(accounts=accounts, next_page_token=token)

    async def UpdateAccount(
        self, request: accounts_pb2.UpdateAccountRequest, context: Context
    ) -> accounts_pb2.UpdateAccountResponse:
        return accounts_pb2.UpdateAccountResponse(account=await self._accounts.update(caller.get(), request))

    async def CreateToken(
        self, request: accounts_pb2.CreateTokenRequest, context: Context
    ) -> accounts_pb2.CreateTokenResponse:
        token, secret = await self._tokens.create(caller.get(), request)
        return accounts_pb2.CreateTokenResponse(token=token, secret=secret)

    async def ListTokens(
        self, request: accounts_pb2.ListTokensRequest, context: Context
    ) -> accounts_pb2.ListTokensResponse:
        tokens, token = await self._tokens.list(caller.get(), request)
        return accounts_pb2.ListTokensResponse(tokens=tokens, next_page_token=token)

    async def RevokeToken(
        self, request: accounts_pb2.RevokeTokenRequest, context: Context
    ) -> accounts_pb2.RevokeTokenResponse:
        await self._tokens.revoke(caller.get(), request.token_id)
        return accounts_pb2.RevokeTokenResponse()

    async def ListAuditEntries(
        self, request: accounts_pb2.ListAuditEntriesRequest, context: Context
    ) -> accounts_pb2.ListAuditEntriesResponse:
        entries, token = await list_entries(self._database, caller.get(), request)
        return accounts_pb2.ListAuditEntriesResponse(entries=entries, next_page_token=token)
