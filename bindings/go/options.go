package tokenwell

import (
	"strconv"
	"time"
)

// An Option configures [New]. What the library does not accept it rejects by name when the client is made.
type Option func(*configuration) error

// AuthMethod is how a client proves who it is at the token endpoint.
type AuthMethod string

const (
	// ClientSecretBasic is HTTP Basic with id and secret form-urlencoded first, as RFC 6749 says.
	ClientSecretBasic AuthMethod = "client_secret_basic"
	// ClientSecretBasicRaw is HTTP Basic with the raw id and secret, as MongoDB Atlas wants it.
	ClientSecretBasicRaw AuthMethod = "client_secret_basic_raw"
	// ClientSecretPost sends id and secret in the request's body.
	ClientSecretPost AuthMethod = "client_secret_post"
)

// WithClientID names the account.
func WithClientID(id string) Option { return WithSetting("client_id", id) }

// WithClientSecret gives the account's secret.
func WithClientSecret(secret string) Option { return WithSetting("client_secret", secret) }

// WithClientSecretFile names a file that holds the account's secret, read anew for every token request.
func WithClientSecretFile(path string) Option { return WithSetting("client_secret_file", path) }

// WithBaseURL names the Atlas server, https://cloud.mongodb.com if it is not given.
func WithBaseURL(url string) Option { return WithSetting("base_url", url) }

// WithTokenURL names the token endpoint of any OAuth 2.0 server, instead of Atlas'.
func WithTokenURL(url string) Option { return WithSetting("token_url", url) }

// WithRevocationURL names the revocation endpoint that belongs to [WithTokenURL].
func WithRevocationURL(url string) Option { return WithSetting("revocation_url", url) }

// WithAuthMethod chooses how the client proves who it is.
func WithAuthMethod(method AuthMethod) Option { return WithSetting("auth_method", string(method)) }

// WithScope asks for a scope: names separated by single spaces.
func WithScope(scope string) Option { return WithSetting("scope", scope) }

// WithAudience asks for an audience, for servers that want one.
func WithAudience(audience string) Option { return WithSetting("audience", audience) }

// WithResource asks for a token for one resource (RFC 8707).
func WithResource(resource string) Option { return WithSetting("resource", resource) }

// WithTimeout bounds one refresh, and a caller whose context has no deadline.
func WithTimeout(timeout time.Duration) Option {
	return func(to *configuration) error {
		ms, err := milliseconds("timeout", timeout)
		if err != nil {
			return err
		}
		return to.set("timeout_ms", strconv.FormatUint(ms, 10))
	}
}

// WithCAFile names a PEM file of authorities to trust.
func WithCAFile(path string) Option { return WithSetting("ca_file", path) }

// WithProfile names the profile to use.
func WithProfile(name string) Option { return WithSetting("profile", name) }

// WithCache says whether processes share tokens in files. They do unless told otherwise.
func WithCache(shared bool) Option { return WithSetting("cache", strconv.FormatBool(shared)) }

// WithCacheDir names the folder for shared tokens, by an absolute path.
func WithCacheDir(path string) Option { return WithSetting("cache_dir", path) }

// WithCacheUnsafe says whether a folder for shared tokens that others may open is used all the same. It is not unless told otherwise.
func WithCacheUnsafe(unsafe bool) Option {
	return WithSetting("cache_unsafe", strconv.FormatBool(unsafe))
}

// WithManualClock is for tests: the client's clock stands at start and moves only by [Client.AdvanceClock].
func WithManualClock(start time.Time) Option {
	return WithSetting("manual_clock_ms", strconv.FormatInt(start.UnixMilli(), 10))
}

// WithSetting gives any setting of the library by its name, with its value as text: also one that is newer than this package.
func WithSetting(name, value string) Option {
	return func(to *configuration) error { return to.set(name, value) }
}

// FromEnvironment takes what no option gives from the environment: TOKENWELL_*, MONGODB_ATLAS_* and MCLI_* variables, in this order.
func FromEnvironment() Option {
	return func(to *configuration) error { return to.useEnvironment() }
}

// A GetOption asks something special of one [Client.Token] or [Client.Authorization].
type GetOption func(*get) error

// MinTTL asks for a token that lives for at least this long from now. Zero stands for the library's default.
func MinTTL(ttl time.Duration) GetOption {
	return func(get *get) (err error) {
		get.minTTL, err = milliseconds("min_ttl", ttl)
		return err
	}
}

// ForceRefresh asks for a new token although the current one is good. It does not override a server's wish to be left alone.
func ForceRefresh() GetOption {
	return func(get *get) error {
		get.forceRefresh = true
		return nil
	}
}

// get is what one call asks for.
type get struct {
	minTTL       uint64
	forceRefresh bool
}

func newGet(options []GetOption) (get, error) {
	var asked get
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(&asked); err != nil {
			return get{}, err
		}
	}
	return asked, nil
}

// milliseconds checks a duration that the caller named.
func milliseconds(name string, duration time.Duration) (uint64, error) {
	if duration < 0 {
		return 0, invalidArgument(name+" is negative: "+duration.String(), "Give a duration of zero or more.")
	}
	return ceilMilliseconds(duration), nil
}

// ceilMilliseconds rounds up, so that a positive duration never becomes the library's zero, which means "not given". What is negative is none.
func ceilMilliseconds(duration time.Duration) uint64 {
	if duration <= 0 {
		return 0
	}
	return uint64((duration-1)/time.Millisecond) + 1
}
