// Re-exports index.js by name, so that both module systems share one copy of the implementation.
import tokenwell from './index.js';

export const {
  ApiError,
  ApiResponse,
  Client,
  Secret,
  ServiceAccounts,
  Token,
  LibraryError,
  libraryVersion,
  TokenwellError,
  InvalidArgumentError,
  NotConfiguredError,
  CredentialRejectedError,
  TokenLimitError,
  RateLimitedError,
  NetworkError,
  TlsError,
  DeadlineError,
  ServerError,
  ProtocolError,
  RefusedError,
  ClosedError,
  InternalError,
} = tokenwell;
