/** The settings of the tokenwell library by their names in camelCase: `clientId` is the library's `client_id`. */
export interface ClientOptions {
  clientId?: string | undefined;
  /** Bytes where the secret is not text. */
  clientSecret?: string | Uint8Array | undefined;
  /** Path of a file that holds the secret, read anew for every token request. */
  clientSecretFile?: string | undefined;
  baseUrl?: string | undefined;
  tokenUrl?: string | undefined;
  revocationUrl?: string | undefined;
  authMethod?: 'client_secret_basic' | 'client_secret_basic_raw' | 'client_secret_post' | undefined;
  scope?: string | undefined;
  audience?: string | undefined;
  resource?: string | undefined;
  /** For how long a call waits that names no deadline of its own. */
  timeoutMs?: number | bigint | undefined;
  caFile?: string | undefined;
  profile?: string | undefined;
  /** Whether processes share tokens in files. They do unless told otherwise. */
  cache?: boolean | undefined;
  cacheDir?: string | undefined;
  /** Whether a folder for shared tokens that others may open is used all the same. */
  cacheUnsafe?: boolean | undefined;
  /** For tests: the client's clock starts here and only advanceClock() moves it. */
  manualClockMs?: number | bigint | undefined;
  /** Any setting of the library by its own name, as text: also one that is newer than this package. */
  settings?: Record<string, string> | undefined;
}

export interface RevokeOptions {
  /** For how long this caller waits, in milliseconds. */
  deadlineMs?: number | bigint;
  /** An aborted caller is rejected at once with the signal's reason; the call goes on for others. */
  signal?: AbortSignal;
}

export interface GetOptions extends RevokeOptions {
  /** How long the token must still live, in milliseconds. */
  minTtlMs?: number | bigint;
  /** Ask for a new token even though one is fresh. */
  forceRefresh?: boolean;
}

/** Counts since the client was made. What the kept string answered is not among them. */
export interface Stats {
  /** Gets answered from the library's memory. */
  hits: number;
  /** Gets that waited for a refresh. */
  waits: number;
  /** Refreshes begun. */
  refreshes: number;
  /** Token requests that brought a token. */
  mints: number;
  /** Refreshes that ended in an error. */
  mintFailures: number;
  /** Gets answered with a live token after a failed refresh. */
  staleServed: number;
  /** Gets answered with a remembered error. */
  cooldownAnswers: number;
  /** Calls of invalidate() that dropped a token. */
  invalidations: number;
}

/** Hands out access tokens: from memory while one is fresh, else from the authorization server, once for all who ask. */
export class Client {
  /** @throws {TokenwellError} for a setting that is wrong; {LibraryError} where there is no usable library. */
  constructor(options?: ClientOptions);
  /** What `options` does not say comes from TOKENWELL_*, MONGODB_ATLAS_* and MCLI_* variables. */
  static fromEnv(options?: ClientOptions): Client;

  token(options?: GetOptions): Promise<Token>;
  /** The value of the Authorization header: `Bearer …`. */
  authorization(options?: GetOptions): Promise<string>;
  /** The same if it can be had without waiting, else undefined: for hot paths that cannot afford a promise. */
  authorizationIfFresh(): string | undefined;

  /**
   * After a 401: drops this token, if it still is the current one, so that a get that follows brings another. While another
   * process writes to the shared cache this waits for it, for a second or so.
   */
  invalidate(token: Token | string): Promise<void>;
  /** Revokes the current token at the server. */
  revoke(options?: RevokeOptions): Promise<void>;
  stats(): Stats;
  /** Changes whenever the current token does. */
  readonly generation: number;
  /** Moves the clock of a client that was made with manualClockMs. */
  advanceClock(ms: number | bigint): void;

  /** Ends the client, any number of times. Calls that wait, and later ones, fail with ClosedError. */
  close(): void;
  [Symbol.dispose](): void;
}

/** One access token. Printing it in any way shows that it is there and when it ends, never what it is. */
export class Token {
  private constructor();
  readonly value: string;
  /** The value of the Authorization header: `Bearer …`. */
  readonly authorization: string;
  readonly expiresAt: Date;
  /** The scope the server named, or null. */
  readonly scope: string | null;
  /** The client's `generation` that this token began: the two differ as soon as this is no longer the current one. */
  readonly generation: number;
  toString(): string;
  toJSON(): string;
}

/** What went wrong, to what, and what to do about it. `name` is the class, `code` the name every language shares. */
export class TokenwellError extends Error {
  protected constructor();
  /** The name that every language shares: `RATE_LIMITED` … */
  readonly code: string;
  /** Its number. */
  readonly status: number;
  /** What to do about it. */
  readonly hint: string;
  /** The HTTP status of the server's reply, or null. */
  readonly httpStatus: number | null;
  /** For how long it is useless to ask again, in milliseconds, or null where that is not known. */
  readonly retryAfterMs: number | null;
}

/** An argument or setting is wrong. */
export class InvalidArgumentError extends TokenwellError {}
/** There is no usable credential, or settings contradict each other. */
export class NotConfiguredError extends TokenwellError {}
/** The authorization server rejected the client: trying again cannot help. */
export class CredentialRejectedError extends TokenwellError {}
/** The account has as many live tokens as the server allows. */
export class TokenLimitError extends TokenwellError {}
/** The authorization server asked to be left alone for a while: see retryAfterMs. */
export class RateLimitedError extends TokenwellError {}
/** The server could not be reached, or the connection broke. */
export class NetworkError extends TokenwellError {}
/** The TLS handshake failed. */
export class TlsError extends TokenwellError {}
/** The caller's own time was over. The refresh may still finish for others. */
export class DeadlineError extends TokenwellError {}
/** The server answered with a 5xx status. */
export class ServerError extends TokenwellError {}
/** The server's reply is not a token response. */
export class ProtocolError extends TokenwellError {}
/** Not done for safety's sake: a redirect, plain http off loopback, an unsafe file … */
export class RefusedError extends TokenwellError {}
/** The client was closed. */
export class ClosedError extends TokenwellError {}
/** A bug in tokenwell. */
export class InternalError extends TokenwellError {}

/** No usable shared library was found. */
export class LibraryError extends Error {
  private constructor();
  readonly places: ReadonlyArray<{ place: string; found: string }>;
  readonly hint: string;
}

/** The version of the shared library. */
export function libraryVersion(): string;
