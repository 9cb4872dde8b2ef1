// The types of service_accounts.js.
// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version 2024-08-05
// (https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts).
// Generated from bindings/service_accounts/operations.json by `make service-accounts`. Do not edit
// it.

import type { Client } from '../index.js';
import type { CallOptions, Secret, ServiceAccountLevel } from './admin.js';

/** A secret of an account, without its value. */
export interface SecretDescription {
  /** The id of the secret. */
  readonly id: string;
  /** When it was created (ISO 8601). */
  readonly createdAt?: string;
  /** When it expires (ISO 8601). */
  readonly expiresAt?: string;
  /** When a token was last requested with it. Absent if it was never used. */
  readonly lastUsedAt?: string;
  /** The secret with all but its last characters masked. */
  readonly maskedSecretValue?: string;
  /** The fields that this version does not know, unchanged. */
  readonly [field: string]: unknown;
}

/** A service account, as the API describes it at one level. */
export interface ServiceAccount {
  /** The client id: mdb_sa_id_ and 24 hexadecimal digits. No other name of an account is unique. */
  readonly clientId: string;
  /** The name. Names are not unique. */
  readonly name: string;
  /** The description. */
  readonly description: string;
  /** When the account was created (ISO 8601). */
  readonly createdAt?: string;
  /** The roles at the level of the request. Roles that this version does not know are kept. */
  readonly roles: readonly string[];
  /** The secrets, without their values. Atlas allows two. */
  readonly secrets: readonly SecretDescription[];
  /** True if Atlas itself manages the account. Older versions of the API do not report it. */
  readonly systemManaged?: boolean;
  /** The fields that this version does not know, unchanged. */
  readonly [field: string]: unknown;
}

/**
 * An entry of the API access list of an account. The list of a project for its clusters is another
 * one.
 */
export interface AccessListEntry {
  /** The network in CIDR notation. */
  readonly cidrBlock?: string;
  /** The address, if the entry is for one address. */
  readonly ipAddress?: string;
  /** When the entry was added (ISO 8601). */
  readonly createdAt?: string;
  /** When a request was last allowed by this entry (ISO 8601). */
  readonly lastUsedAt?: string;
  /** The address of that request. */
  readonly lastUsedAddress?: string;
  /** How many requests the entry has allowed. */
  readonly requestCount?: number;
  /** The fields that this version does not know, unchanged. */
  readonly [field: string]: unknown;
}

/** A project in which an account of an organization has roles. */
export interface ProjectOfAccount {
  /** The id of the project. */
  readonly groupId: string;
  /** The fields that this version does not know, unchanged. */
  readonly [field: string]: unknown;
}

/** A new account and its first secret, whose value the API shows only this once. */
export interface CreatedAccount {
  /** The account. Its secrets have no values. */
  readonly account: ServiceAccount;
  /** The value of the secret, which no string form shows. */
  readonly secret: Secret;
}

/** A new secret, whose value the API shows only this once. */
export interface CreatedSecret {
  /** The secret without its value. */
  readonly description: SecretDescription;
  /** The value of the secret, which no string form shows. */
  readonly secret: Secret;
}

/** The attributes of an account to create. */
export interface NewServiceAccount {
  /** The name: 1 to 64 letters, digits, spaces and `- _ . , '`. */
  name: string;
  /** The description: 1 to 250 of the same characters. */
  description: string;
  /** The roles, at least one of the level at which the account is created. */
  roles: readonly string[];
  /** The lifetime of its first secret: 8 to 8760 hours. The organization may allow less. */
  secretExpiresAfterHours: number;
}

/** The attributes of an account to change. An attribute that is not set stays as it is. */
export interface ServiceAccountChange {
  /** The new name. */
  name?: string | undefined;
  /** The new description. */
  description?: string | undefined;
  /** The roles that replace all roles of the account at this level. */
  roles?: readonly string[] | undefined;
}

/**
 * The service accounts of an organization or a project. Each call sends one request, and a list one
 * request for each page. Nothing is repeated, except once after a 401. An error status is an
 * ApiError. Fields and roles that a later version of the API adds are kept and are never an error.
 */
export class ServiceAccounts {
  /**
   * @param client The client whose token is used.
   * @param level `organization` or `project`, an id.
   * @throws {InvalidArgumentError} Not exactly one of both is set, or it is not an id.
   */
  constructor(client: Client, level: ServiceAccountLevel);
  /**
   * Creates an account with one secret. Names are not unique: after an error without a response,
   * list the accounts before another attempt, because one may have been created.
   *
   * Request: `POST …/serviceAccounts`
   *
   * @param account The attributes of an account to create.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  create(account: NewServiceAccount, options?: CallOptions): Promise<CreatedAccount>;

  /**
   * Returns all accounts, each once. A page is requested when the accounts before it are used up.
   *
   * Request: `GET …/serviceAccounts`
   *
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  list(options?: CallOptions): AsyncGenerator<ServiceAccount, void, undefined>;

  /**
   * Returns one account. Its secrets are listed without their values.
   *
   * Request: `GET …/serviceAccounts/{clientId}`
   *
   * @param clientId The client id of the account.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  get(clientId: string, options?: CallOptions): Promise<ServiceAccount>;

  /**
   * Changes an account, and returns it as it is then.
   *
   * Request: `PATCH …/serviceAccounts/{clientId}`
   *
   * @param clientId The client id of the account.
   * @param change The attributes of an account to change. An attribute that is not set stays as it
   *   is.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  update(clientId: string, change: ServiceAccountChange, options?: CallOptions): Promise<ServiceAccount>;

  /**
   * Deletes an account of an organization, with its secrets. An account of a project is only
   * detached from it, and continues to exist in its organization.
   *
   * Request: `DELETE …/serviceAccounts/{clientId}`
   *
   * @param clientId The client id of the account.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  delete(clientId: string, options?: CallOptions): Promise<void>;

  /**
   * Creates another secret, with a lifetime of 8 to 8760 hours. An account has at most two, and the
   * older one then expires within seven days.
   *
   * Request: `POST …/serviceAccounts/{clientId}/secrets`
   *
   * @param clientId The client id of the account.
   * @param secretExpiresAfterHours The lifetime of the secret: 8 to 8760 hours. The organization
   *   may allow less.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  createSecret(clientId: string, secretExpiresAfterHours: number, options?: CallOptions): Promise<CreatedSecret>;

  /**
   * Deletes a secret.
   *
   * Request: `DELETE …/serviceAccounts/{clientId}/secrets/{secretId}`
   *
   * @param clientId The client id of the account.
   * @param secretId The id of the secret.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  deleteSecret(clientId: string, secretId: string, options?: CallOptions): Promise<void>;

  /**
   * Returns the API access list of an account. An empty list allows every address, unless the
   * organization requires a list.
   *
   * Request: `GET …/serviceAccounts/{clientId}/accessList`
   *
   * @param clientId The client id of the account.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  accessList(clientId: string, options?: CallOptions): AsyncGenerator<AccessListEntry, void, undefined>;

  /**
   * Adds addresses and networks to the access list with one request, and returns the list as it is
   * then. An entry that exists is no error.
   *
   * Request: `POST …/serviceAccounts/{clientId}/accessList`
   *
   * @param clientId The client id of the account.
   * @param networks The addresses such as 192.0.2.1, and networks such as 192.0.2.0/24.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  addAccess(clientId: string, networks: readonly string[], options?: CallOptions): Promise<AccessListEntry[]>;

  /**
   * Removes an address or a network from the access list.
   *
   * Request: `DELETE …/serviceAccounts/{clientId}/accessList/{ipAddress}`
   *
   * @param clientId The client id of the account.
   * @param network The address or the network of the entry.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  deleteAccess(clientId: string, network: string, options?: CallOptions): Promise<void>;

  /**
   * Returns the projects in which an account of the organization has roles.
   *
   * Request: `GET …/serviceAccounts/{clientId}/groups`
   *
   * @param clientId The client id of the account.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  projects(clientId: string, options?: CallOptions): AsyncGenerator<ProjectOfAccount, void, undefined>;

  /**
   * Adds an account of the organization to the project, with these roles there.
   *
   * Request: `POST …/serviceAccounts/{clientId}:invite`
   *
   * @param clientId The client id of the account.
   * @param roles The roles of the account in the project, at least one.
   * @throws {ApiError} The API refused the request.
   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.
   */
  invite(clientId: string, roles: readonly string[], options?: CallOptions): Promise<ServiceAccount>;
}
