'use strict';

// Service accounts of an organization or a project: the operations of the Admin API as typed calls.
// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version 2024-08-05
// (https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts).
// Generated from bindings/service_accounts/operations.json by `make service-accounts`. Do not edit
// it.

const { Level, attributes, entries, strings } = require('./admin.js');

const API = {
  version: '2024-08-05',
  itemsPerPage: 500,
  paths: {
    organization: '/api/atlas/v2/orgs/{organization}/serviceAccounts',
    project: '/api/atlas/v2/groups/{project}/serviceAccounts',
  },
  types: {
    SecretDescription: {
      id: { kind: 'string', isRequired: true },
      createdAt: { kind: 'string', aliases: ['created'] },
      expiresAt: { kind: 'string' },
      lastUsedAt: { kind: 'string' },
      maskedSecretValue: { kind: 'string' },
    },
    ServiceAccount: {
      clientId: { kind: 'string', isRequired: true },
      name: { kind: 'string', empty: '' },
      description: { kind: 'string', empty: '' },
      createdAt: { kind: 'string', aliases: ['created'] },
      roles: { kind: 'string', isList: true, empty: [] },
      secrets: { kind: 'SecretDescription', isList: true, empty: [] },
      systemManaged: { kind: 'boolean' },
    },
    AccessListEntry: {
      cidrBlock: { kind: 'string' },
      ipAddress: { kind: 'string' },
      createdAt: { kind: 'string', aliases: ['created'] },
      lastUsedAt: { kind: 'string', aliases: ['lastUsed'] },
      lastUsedAddress: { kind: 'string' },
      requestCount: { kind: 'number', aliases: ['count'] },
    },
    ProjectOfAccount: {
      groupId: { kind: 'string', aliases: ['id'], isRequired: true },
    },
  },
};

/**
 * The service accounts of an organization or a project. Each call sends one request, and a list one
 * request for each page. Nothing is repeated, except once after a 401.
 */
class ServiceAccounts {
  #level;

  /**
   * @param {Client} client The client whose token is used.
   * @param {object} level `organization` or `project`, an id.
   */
  constructor(client, level) {
    this.#level = new Level(client, level, API);
  }

  /** Creates an account with one secret. `POST …/serviceAccounts` */
  async create(account, options) {
    const reply = await this.#level.send('POST', '', {}, { body: attributes('account', account, ['name', 'description', 'roles', 'secretExpiresAfterHours'], ['roles']) }, options);
    return reply.created('account', 'ServiceAccount');
  }

  /** Returns all accounts, each once. `GET …/serviceAccounts` */
  async *list(options) {
    yield* this.#level.pages('', {}, 'ServiceAccount', ['clientId'], options);
  }

  /** Returns one account. `GET …/serviceAccounts/{clientId}` */
  async get(clientId, options) {
    const reply = await this.#level.send('GET', '/{client_id}', { client_id: clientId }, {}, options);
    return reply.read('ServiceAccount');
  }

  /** Changes an account, and returns it as it is then. `PATCH …/serviceAccounts/{clientId}` */
  async update(clientId, change, options) {
    const reply = await this.#level.send('PATCH', '/{client_id}', { client_id: clientId }, { body: attributes('change', change, ['name', 'description', 'roles'], ['roles']) }, options);
    return reply.read('ServiceAccount');
  }

  /**
   * Deletes an account of an organization, with its secrets.
   * Request: `DELETE …/serviceAccounts/{clientId}`
   */
  async delete(clientId, options) {
    await this.#level.send('DELETE', '/{client_id}', { client_id: clientId }, {}, options);
  }

  /**
   * Creates another secret, with a lifetime of 8 to 8760 hours.
   * Request: `POST …/serviceAccounts/{clientId}/secrets`
   */
  async createSecret(clientId, secretExpiresAfterHours, options) {
    const reply = await this.#level.send('POST', '/{client_id}/secrets', { client_id: clientId }, { body: { secretExpiresAfterHours } }, options);
    return reply.created('description', 'SecretDescription');
  }

  /** Deletes a secret. `DELETE …/serviceAccounts/{clientId}/secrets/{secretId}` */
  async deleteSecret(clientId, secretId, options) {
    await this.#level.send('DELETE', '/{client_id}/secrets/{secret_id}', { client_id: clientId, secret_id: secretId }, {}, options);
  }

  /** Returns the API access list of an account. `GET …/serviceAccounts/{clientId}/accessList` */
  async *accessList(clientId, options) {
    yield* this.#level.pages('/{client_id}/accessList', { client_id: clientId }, 'AccessListEntry', ['cidrBlock', 'ipAddress'], options);
  }

  /**
   * Adds addresses and networks to the access list with one request, and returns the list as it is
   * then.
   * Request: `POST …/serviceAccounts/{clientId}/accessList`
   */
  async addAccess(clientId, networks, options) {
    const reply = await this.#level.send('POST', '/{client_id}/accessList', { client_id: clientId }, { query: { itemsPerPage: 500 }, body: entries(networks) }, options);
    return reply.results('AccessListEntry');
  }

  /**
   * Removes an address or a network from the access list.
   * Request: `DELETE …/serviceAccounts/{clientId}/accessList/{ipAddress}`
   */
  async deleteAccess(clientId, network, options) {
    await this.#level.send('DELETE', '/{client_id}/accessList/{network}', { client_id: clientId, network }, {}, options);
  }

  /**
   * Returns the projects in which an account of the organization has roles.
   * Request: `GET …/serviceAccounts/{clientId}/groups`
   */
  async *projects(clientId, options) {
    this.#level.only('organization', 'projects');
    yield* this.#level.pages('/{client_id}/groups', { client_id: clientId }, 'ProjectOfAccount', ['groupId'], options);
  }

  /**
   * Adds an account of the organization to the project, with these roles there.
   * Request: `POST …/serviceAccounts/{clientId}:invite`
   */
  async invite(clientId, roles, options) {
    this.#level.only('project', 'invite');
    const reply = await this.#level.send('POST', '/{client_id}:invite', { client_id: clientId }, { body: { roles: strings('roles', roles) } }, options);
    return reply.read('ServiceAccount');
  }
}

module.exports = { ServiceAccounts };
