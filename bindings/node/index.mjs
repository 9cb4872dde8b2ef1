// The same implementation as index.js, by name: one copy whichever way it is loaded.
import tokenwell from './index.js';

export const {
  Client,
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
