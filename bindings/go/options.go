//go:build cgo

package tokenwell

import (
	"strconv"
	"strings"
	"time"
)

// An Option sets a setting of a new client. [New] returns an error that names a setting that the
// library does not accept.
type Option func(*configuration) error

// AuthMethod is how the client authenticates to the token endpoint.
type AuthMethod string

const (
	// ClientSecretBasic is HTTP Basic with the form-urlencoded client id and secret, as in RFC
	// 6749.
	ClientSecretBasic AuthMethod = "client_secret_basic"
	// ClientSecretBasicRaw is HTTP Basic with the raw client id and secret, as MongoDB Atlas
	// requires.
	ClientSecretBasicRaw AuthMethod = "client_secret_basic_raw"
	// ClientSecretPost sends the client id and secret in the request body.
	ClientSecretPost AuthMethod = "client_secret_post"
	// AuthMethodAuto is ClientSecretBasic, and ClientSecretPost if the server rejects that. It is
	// the default for servers other than Atlas, and not allowed for Atlas.
	AuthMethodAuto AuthMethod = "auto"
)

// WithClientID sets the client id.
func WithClientID(id string) Option { return WithSetting("client_id", id) }

// WithClientSecret sets the client secret.
func WithClientSecret(secret string) Option { return WithSetting("client_secret", secret) }

// WithClientSecretFile sets the path of a file that contains the client secret. The file is read
// for every token request.
func WithClientSecretFile(path string) Option { return WithSetting("client_secret_file", path) }

// WithBaseURL sets the URL of the Atlas server. The default is https://cloud.mongodb.com.
func WithBaseURL(url string) Option { return WithSetting("base_url", url) }

// WithTokenURL sets the token endpoint of an authorization server other than Atlas.
func WithTokenURL(url string) Option { return WithSetting("token_url", url) }

// WithRevocationURL sets the revocation endpoint that belongs to [WithTokenURL].
func WithRevocationURL(url string) Option { return WithSetting("revocation_url", url) }

// WithAuthMethod sets how the client authenticates to the token endpoint.
func WithAuthMethod(method AuthMethod) Option { return WithSetting("auth_method", string(method)) }

// WithScope sets the scope to request: names separated by single spaces.
func WithScope(scope string) Option { return WithSetting("scope", scope) }

// WithAudience sets the audience to request, for servers that require one.
func WithAudience(audience string) Option { return WithSetting("audience", audience) }

// WithResource sets the resource to request a token for (RFC 8707).
func WithResource(resource string) Option { return WithSetting("resource", resource) }

// WithTimeout sets the time limit of a refresh, and of a call whose context has no deadline.
func WithTimeout(timeout time.Duration) Option {
	return func(to *configuration) error {
		ms, err := milliseconds("timeout", timeout)
		if err != nil {
			return err
		}
		return to.set("timeout_ms", strconv.FormatUint(ms, 10))
	}
}

// WithCAFile sets the path of a PEM file of certificate authorities to trust. The path "system"
// means those of the operating system, whatever the environment says.
func WithCAFile(path string) Option { return WithSetting("ca_file", path) }

// WithCAPEM sets the certificate authorities to trust as PEM, instead of [WithCAFile].
func WithCAPEM(pem string) Option { return WithSetting("ca_pem", pem) }

// WithProxy sets the URL of the proxy for https servers. The URL "none" means no proxy, whatever the
// environment says.
func WithProxy(url string) Option { return WithSetting("proxy", url) }

// WithNoProxy sets the hosts that are reached without the proxy.
func WithNoProxy(hosts ...string) Option {
	return WithSetting("no_proxy", strings.Join(hosts, ","))
}

// WithProfile sets the name of the profile.
func WithProfile(name string) Option { return WithSetting("profile", name) }

// WithCache sets whether processes share tokens through the shared cache. The default is true.
func WithCache(shared bool) Option { return WithSetting("cache", strconv.FormatBool(shared)) }

// WithCacheDir sets the absolute path of the directory of the shared cache.
func WithCacheDir(path string) Option { return WithSetting("cache_dir", path) }

// WithCacheUnsafe sets whether to use a cache directory that other users can access. The default is
// false.
func WithCacheUnsafe(unsafe bool) Option {
	return WithSetting("cache_unsafe", strconv.FormatBool(unsafe))
}

// WithEnvironment sets whether anything comes from environment variables, including the proxy and
// the cache directory. The default is true. False cannot be combined with [FromEnvironment].
func WithEnvironment(read bool) Option {
	return WithSetting("environment", strconv.FormatBool(read))
}

// WithManualClock sets the client's clock to start; only [Client.AdvanceClock] advances it. It is
// for tests.
func WithManualClock(start time.Time) Option {
	return WithSetting("manual_clock_ms", strconv.FormatInt(start.UnixMilli(), 10))
}

// WithSetting sets any setting by its name in the library. The setting may be newer than this
// package.
func WithSetting(name, value string) Option {
	return func(to *configuration) error { return to.set(name, value) }
}

// FromEnvironment reads the settings that no option sets from the environment: from TOKENWELL_*,
// MONGODB_ATLAS_* and MCLI_* variables, in this order of precedence.
func FromEnvironment() Option {
	return func(to *configuration) error { return to.useEnvironment() }
}

// A GetOption is an option of one call of [Client.Token] or [Client.Authorization].
type GetOption func(*get) error

// MinTTL requires a token that is valid for at least ttl. Zero means the library's default, the
// lesser of one minute and a tenth of the token's lifetime.
func MinTTL(ttl time.Duration) GetOption {
	return func(get *get) (err error) {
		get.minTTL, err = milliseconds("min_ttl", ttl)
		return err
	}
}

// ForceRefresh requests a new token even if the current one is fresh. It does not skip a cooldown:
// while a refusal is remembered, that error is returned and no request is sent.
func ForceRefresh() GetOption {
	return func(get *get) error {
		get.forceRefresh = true
		return nil
	}
}

// get contains the options of one call.
type get struct {
	minTTL       uint64
	forceRefresh bool
}

func newGet(options []GetOption) (get, error) {
	var request get
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(&request); err != nil {
			return get{}, err
		}
	}
	return request, nil
}

// milliseconds converts a duration from the caller. It rejects negative durations with an error
// that starts with name.
func milliseconds(name string, duration time.Duration) (uint64, error) {
	if duration < 0 {
		return 0, invalidArgument(name+" is negative: "+duration.String(), "Pass a duration of zero or more.")
	}
	return ceilMilliseconds(duration), nil
}

// ceilMilliseconds rounds up, so that a positive duration never becomes zero, which the library
// treats as not set. Negative durations become zero.
func ceilMilliseconds(duration time.Duration) uint64 {
	if duration <= 0 {
		return 0
	}
	return uint64((duration-1)/time.Millisecond) + 1
}
