'use strict';

/**
 * No usable library was found. `places` lists each location that was tried and what was `found`
 * there.
 */
class LibraryError extends Error {
  constructor(problem, places, hint) {
    super([`${problem}:`, ...places.map(({ place, found }) => `  ${place}: ${found}`), hint].join('\n'));
    this.places = places;
    this.hint = hint;
  }

  get name() {
    return 'LibraryError';
  }
}

module.exports = { LibraryError };
