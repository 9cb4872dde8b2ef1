/** The value of a new secret. Its string forms redact it; only `value` returns it. */
export class Secret {
  private constructor();
  /** The secret. JavaScript cannot wipe it from memory. */
  readonly value: string;
  toString(): string;
  toJSON(): string;
}

/**
 * The Admin API refused a request, or its response is not what its reference describes. No property
 * contains a secret. Failures without a response are a TokenwellError.
 */
export class ApiError extends Error {
  private constructor();
  /** The method and the path of the request. */
  readonly request: string;
  /** The HTTP status. */
  readonly status: number;
  /** What is wrong with the response. Empty if the status says it. */
  readonly problem: string;
  /** The `errorCode` of the response, or null. */
  readonly errorCode: string | null;
  /** The `detail` of the response, or null. */
  readonly detail: string | null;
  /** The `parameters` of the response. */
  readonly parameters: readonly unknown[];
  /** The time before a new attempt can succeed, in milliseconds, or null if unknown. */
  readonly retryAfterMs: number | null;
}

/** An organization or a project, by its id. */
export type ServiceAccountLevel = { readonly organization: string; readonly project?: undefined } | { readonly project: string; readonly organization?: undefined };

export interface CallOptions {
  /** The deadline of each request, in milliseconds. */
  deadlineMs?: number | bigint | undefined;
  /** If it is aborted, the request ends. It may have taken effect. */
  signal?: AbortSignal | null | undefined;
}
