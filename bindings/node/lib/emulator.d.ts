/** What the emulator has counted since its start or the last reset. */
export interface Counters {
  connections: number;
  requests: number;
  token_requests: number;
  tokens_minted: number;
  revoke_requests: number;
  api_requests: number;
  live_tokens: number;
}

/** A running emulator of MongoDB Atlas. The faults and settings are described in docs/emulator.md of tokenwell. */
export interface Emulator {
  /** The base URL of the API and of the token endpoint. */
  readonly baseUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly orgId: string;
  /** A project of the organization, if it has one. */
  readonly projectId: string | undefined;
  /** The variables that configure a client in another process. One is a cache directory of this emulator. */
  readonly environment: Readonly<Record<string, string>>;
  /** The options of a `Client` that shares no token with other tests. */
  readonly options: { baseUrl: string; clientId: string; clientSecret: string; cache: false; caFile?: string };

  counters(): Promise<Counters>;
  /** Restores the state after the start: accounts, tokens, clock, settings, faults and counters. */
  reset(): Promise<void>;
  /** Replaces the faults. */
  faults(...faults: object[]): Promise<void>;
  /** Changes settings, for example `{ token_lifetime_s: 60 }`. */
  configure(settings: object): Promise<void>;
  /** Returns the time of the emulator's clock. */
  now(): Promise<Date>;
  /** Stops the emulator's clock and sets it forward. */
  advance(milliseconds: number): Promise<void>;
  /** Returns the last request to a path: its method, headers, body and so on. */
  lastRequest(path: string): Promise<Record<string, unknown>>;
  /** Sends any request to the control API. `name` is the path below `/_emulator/`. */
  control(method: string, name: string, body?: unknown): Promise<any>;
  /** Ends the emulator, which otherwise ends with this process. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface EmulatorOptions {
  /** The flags of `tokenwell emulator`. */
  flags?: readonly string[];
  /** The path of the command. Default: `TOKENWELL_BIN`, then that of `@tokenwell/cli`, then the one on PATH. */
  command?: string;
}

/**
 * Starts an emulator on a free port.
 *
 * @throws {Error} The command cannot be started; the message contains what it printed.
 */
export function startEmulator(options?: EmulatorOptions): Promise<Emulator>;
