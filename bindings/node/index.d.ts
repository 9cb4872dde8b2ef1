export * from './lib/admin.js';
export * from './lib/service_accounts.js';

/**
 * The settings of the tokenwell library, by their names in camelCase: `clientId` is the library's
 * `client_id`.
 */
export interface ClientOptions {
  clientId?: string | undefined;
  /** The client secret. Use bytes if it is not a valid string. */
  clientSecret?: string | Uint8Array | undefined;
  /**
   * The path of a file that contains the client secret. The file is read for every token request.
   */
  clientSecretFile?: string | undefined;
  baseUrl?: string | undefined;
  tokenUrl?: string | undefined;
  revocationUrl?: string | undefined;
  authMethod?: 'client_secret_basic' | 'client_secret_basic_raw' | 'client_secret_post' | 'auto' | undefined;
  scope?: string | undefined;
  audience?: string | undefined;
  resource?: string | undefined;
  /** The time limit of calls that have no `deadlineMs`, in milliseconds. */
  timeoutMs?: number | bigint | undefined;
  /** The path of a PEM file, or `system` for the authorities of the operating system. */
  caFile?: string | undefined;
  /** The certificate authorities to trust as PEM, instead of `caFile`. */
  caPem?: string | undefined;
  /** The URL of the proxy for https servers, or `none`. */
  proxy?: string | undefined;
  /** The hosts that are reached without the proxy; a string is separated by commas. */
  noProxy?: string | readonly string[] | undefined;
  profile?: string | undefined;
  /** Whether processes share tokens through the shared cache. The default is true. */
  cache?: boolean | undefined;
  cacheDir?: string | undefined;
  /** Whether to use a cache directory that other users can access. The default is false. */
  cacheUnsafe?: boolean | undefined;
  /**
   * Whether anything comes from environment variables, including the proxy and the cache directory.
   * The default is true.
   */
  environment?: boolean | undefined;
  /**
   * The start of a clock that only advanceClock() moves, in milliseconds since the Unix epoch. For
   * tests.
   */
  manualClockMs?: number | bigint | undefined;
  /** Any setting by its name in the library, as a string. It may be newer than this package. */
  settings?: Record<string, string> | undefined;
}

export interface RevokeOptions {
  /** The deadline of this call, in milliseconds. */
  deadlineMs?: number | bigint | undefined;
  /**
   * If it is aborted, the promise is rejected immediately with its reason. The request continues
   * for other callers.
   */
  signal?: AbortSignal | null | undefined;
}

export interface GetOptions extends RevokeOptions {
  /** The minimum remaining validity of the token, in milliseconds. */
  minTtlMs?: number | bigint | undefined;
  /** Request a new token even if the current one is fresh. */
  forceRefresh?: boolean | undefined;
}

/** The value of a parameter of a query. */
export type QueryValue = string | number | bigint | boolean;

export interface RequestOptions {
  /** The version of the API, as the date in its media type: `2025-03-12`. The default is `2024-08-05`. */
  version?: string | undefined;
  /** The parameters of the query, not encoded. */
  query?: Readonly<Record<string, QueryValue | readonly QueryValue[]>> | Iterable<readonly [string, QueryValue]> | null | undefined;
  /** JSON as a string or bytes, or a value that is converted to JSON. */
  body?: unknown;
  /** The largest body of a response that is accepted, in bytes. The default is 64 MiB. */
  maxBody?: number | bigint | undefined;
  /** The deadline of the call with its waits for tokens, in milliseconds. */
  deadlineMs?: number | bigint | undefined;
  /** If it is aborted, the request ends. It may have taken effect. */
  signal?: AbortSignal | null | undefined;
}

/** Counts since the client was created. Gets answered from the local copy are not counted. */
export interface Stats {
  /** Gets answered from the library's memory. */
  hits: number;
  /** Gets that waited for a refresh. */
  waits: number;
  /** Refreshes started. */
  refreshes: number;
  /** Token requests that returned a token. */
  mints: number;
  /** Refreshes that failed. */
  mintFailures: number;
  /** Gets answered with a valid token after a failed refresh. */
  staleServed: number;
  /** Gets answered with a remembered error. */
  cooldownAnswers: number;
  /** Calls of invalidate() and revoke() that dropped a token. */
  invalidations: number;
}

/**
 * Returns access tokens, and sends a token request only if no cached token is fresh. One request
 * serves all callers.
 */
export class Client {
  /**
   * @param options The settings.
   * @throws {TokenwellError} A setting is unknown or invalid.
   * @throws {LibraryError} No usable library was found.
   */
  constructor(options?: ClientOptions);
  /**
   * Creates a client that reads the settings that `options` does not contain from the environment:
   * from TOKENWELL_*, MONGODB_ATLAS_* and MCLI_* variables, in this order of precedence.
   */
  static fromEnv(options?: ClientOptions): Client;

  /**
   * Resolves to a valid token.
   *
   * @throws {TokenwellError} No token can be returned.
   */
  token(options?: GetOptions): Promise<Token>;
  /**
   * Resolves to the value of the Authorization header, `Bearer …`. The options and errors are those
   * of token().
   */
  authorization(options?: GetOptions): Promise<string>;
  /**
   * Returns the header value if it is available without waiting, otherwise undefined. It creates no
   * promise.
   */
  authorizationIfFresh(): string | undefined;

  /**
   * The global fetch with a token, for the API of this client: a relative URL is relative to
   * `baseUrl`. Requests for another origin, and requests with an Authorization header, are sent
   * unchanged. If the API replies with 401, the token is invalidated, and the request is sent once
   * more with another token, unless its body is a stream or that of a Request. The function can be
   * passed to another library: it needs no `this`.
   *
   * @throws {TokenwellError} No token can be returned, or the client has no base URL.
   */
  readonly fetch: typeof globalThis.fetch;

  /**
   * Drops a token that a server rejected with 401, if it is still the current token. The next get
   * returns another one. If another process is writing to the shared cache, the call waits for it
   * for about a second.
   *
   * @param token The rejected token, or its value.
   */
  invalidate(token: Token | string): Promise<void>;
  /** Revokes the current token at the server, and drops it here once the server has confirmed. */
  revoke(options?: RevokeOptions): Promise<void>;
  /**
   * Sends a request to the Admin API with a token, and resolves to its response. After a 401 the
   * token is invalidated, and the request is sent once more with another one. Nothing else is
   * repeated, and redirects are not followed. A status such as 404 is a result.
   *
   * @param method GET, POST, PUT, PATCH or DELETE.
   * @param path The path on the server of baseUrl, for example `/api/atlas/v2/orgs`.
   * @throws {RefusedError} The path names a server or has a segment `..`; the response is a redirect.
   * @throws {TokenwellError} There is no token or no complete response. The request may have taken
   *   effect.
   */
  request(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: RequestOptions): Promise<ApiResponse>;
  /** Returns the counts since the client was created. */
  stats(): Stats;
  /** A number that changes whenever the current token changes. */
  readonly generation: number;
  /** The base URL of the API, or null if the server was set by `tokenUrl`. */
  readonly baseUrl: string | null;
  /**
   * Where the value of each setting that is in effect came from, by the names of the library:
   * `{ client_id: 'environment variable TOKENWELL_CLIENT_ID', … }`. The object is frozen.
   */
  readonly sources: Readonly<Partial<Record<string, string>>>;
  /** Advances the clock of a client that was created with manualClockMs. */
  advanceClock(ms: number | bigint): void;

  /**
   * Closes the client and frees its secret: waiting and later calls fail with ClosedError. Can be
   * called more than once.
   */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * An immutable access token. Its string forms show when it expires; only `value` and
 * `authorization` return the secret.
 */
export class Token {
  private constructor();
  /** The access token. A secret. */
  readonly value: string;
  /** The value of the Authorization header: `Bearer …`. */
  readonly authorization: string;
  /** The time at which the token expires. */
  readonly expiresAt: Date;
  /** The scope in the server's reply, or null if the reply had no scope. */
  readonly scope: string | null;
  /**
   * The client's `generation` when this token became current. The two differ once it is no longer
   * current.
   */
  readonly generation: number;
  toString(): string;
  toJSON(): string;
}

/**
 * A response of the Admin API, with any status except a redirect. Its string forms show only the
 * status, because the body may contain a secret.
 */
export class ApiResponse {
  private constructor();
  /** The HTTP status. 4xx and 5xx are results too: the body says what is wrong. */
  readonly status: number;
  /** Whether the status is 200 to 299. */
  readonly ok: boolean;
  /** The headers, with names in lower case. Values of the same name are joined with commas. Frozen. */
  readonly headers: Readonly<Partial<Record<string, string>>>;
  /** The headers in the order received, as pairs of a name in lower case and a value. */
  readonly headerList: [string, string][];
  /** The body, unchanged. */
  readonly body: Uint8Array;
  /** The body as a string. Bytes that are not UTF-8 are replaced. */
  text(): string;
  /**
   * The body as a value.
   *
   * @throws {SyntaxError} The body is not JSON, for example because a proxy answered instead of the API.
   */
  json(): any;
  toString(): string;
  toJSON(): string;
}

/** The base class of the errors that the library reports. `name` is the name of the class. */
export class TokenwellError extends Error {
  protected constructor();
  /** The stable name that all languages share, for example `RATE_LIMITED`. */
  readonly code: string;
  /** The stable number of `code`. */
  readonly status: number;
  /** What to do about it, in full sentences. May be empty. */
  readonly hint: string;
  /** The HTTP status of the server's reply, or null if there was no reply. */
  readonly httpStatus: number | null;
  /** The time before a new attempt can succeed, in milliseconds, or null if unknown. */
  readonly retryAfterMs: number | null;
  /**
   * The error code in the server's reply (RFC 6749 section 5.2), for example `invalid_client`, or
   * null if the reply had none.
   */
  readonly oauthCode: string | null;
  /** Whether this is the remembered error of an earlier call: no token request was sent. */
  readonly isRemembered: boolean;
  /** How long ago a remembered error occurred, in milliseconds; 0 for a new error. */
  readonly ageMs: number;
  /** How many requests the failure took, including retries; 0 if it is not that of a request. */
  readonly attempts: number;
}

/** An argument or setting is invalid. */
export class InvalidArgumentError extends TokenwellError {}
/** No usable credential was found, or settings contradict each other. */
export class NotConfiguredError extends TokenwellError {}
/** The authorization server rejected the client credentials; a retry cannot succeed. */
export class CredentialRejectedError extends TokenwellError {}
/** The account has the maximum number of valid tokens. */
export class TokenLimitError extends TokenwellError {}
/** The authorization server limits token requests; retry after `retryAfterMs`. */
export class RateLimitedError extends TokenwellError {}
/** The server could not be reached, or the connection was lost. */
export class NetworkError extends TokenwellError {}
/** The TLS handshake failed. */
export class TlsError extends TokenwellError {}
/** The deadline of the call was exceeded. A refresh in progress continues for other callers. */
export class DeadlineError extends TokenwellError {}
/** The server replied with a 5xx status. */
export class ServerError extends TokenwellError {}
/** The server's reply is not a token response. */
export class ProtocolError extends TokenwellError {}
/** The operation was refused as unsafe: a redirect, plain http to another host, an unsafe file … */
export class RefusedError extends TokenwellError {}
/** The client is closed. */
export class ClosedError extends TokenwellError {}
/** A bug in tokenwell. Please report it. */
export class InternalError extends TokenwellError {}

/** No usable library was found. The message says what to do. */
export class LibraryError extends Error {
  private constructor();
  /** Each location that was tried, and what was found there. */
  readonly places: ReadonlyArray<{ place: string; found: string }>;
  /** What to do about it. */
  readonly hint: string;
}

/** Returns the version of the library. */
export function libraryVersion(): string;
