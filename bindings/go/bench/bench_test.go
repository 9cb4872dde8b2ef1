// Package bench compares a get from the local copy with golang.org/x/oauth2, in one run on one
// machine. It is a separate module, so that the wrapper has no dependencies.
package bench

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
	"golang.org/x/oauth2"
)

// BenchmarkRatio alternates between both and reports the best chunk of each, which a busy machine
// affects least.
func BenchmarkRatio(b *testing.B) {
	client, ctx, peer := warm(b), context.Background(), reuse()
	const chunk = 2000
	best := func(before time.Duration, get func()) time.Duration {
		start := time.Now()
		for range chunk {
			get()
		}
		return min(before, time.Since(start))
	}
	ours, theirs := time.Hour, time.Hour
	for b.Loop() {
		ours = best(ours, func() { _, _ = client.Authorization(ctx) })
		theirs = best(theirs, func() { _, _ = peer.Token() })
	}
	b.ReportMetric(float64(ours)/chunk, "tokenwell-ns")
	b.ReportMetric(float64(theirs)/chunk, "oauth2-ns")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

func BenchmarkAuthorization(b *testing.B) {
	client, ctx := warm(b), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Authorization(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	client, ctx := warm(b), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Token(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorizationWithCancelableContext(b *testing.B) {
	client := warm(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Authorization(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorizationInParallel(b *testing.B) {
	client, ctx := warm(b), context.Background()
	b.ReportAllocs()
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			if _, err := client.Authorization(ctx); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkTokenAcrossTheABI measures a get that calls the library: MinTTL bypasses the local copy.
func BenchmarkTokenAcrossTheABI(b *testing.B) {
	client, ctx := warm(b), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Token(ctx, tokenwell.MinTTL(time.Second)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReuseTokenSource(b *testing.B) {
	peer := reuse()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.Token(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReuseTokenSourceInParallel(b *testing.B) {
	peer := reuse()
	b.ReportAllocs()
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			if _, err := peer.Token(); err != nil {
				b.Error(err)
			}
		}
	})
}

func reuse() oauth2.TokenSource {
	token := &oauth2.Token{AccessToken: strings.Repeat("x", 800), TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)}
	return oauth2.ReuseTokenSource(token, nil)
}

// warm returns a client of an emulator that already has a token.
func warm(b *testing.B) *tokenwell.Client {
	b.Helper()
	account := emulator.Start(b, filepath.Join("..", "..", ".."))
	client, err := tokenwell.New(
		tokenwell.WithBaseURL(account.BaseURL), tokenwell.WithClientID(account.ClientID), tokenwell.WithClientSecret(account.ClientSecret),
	)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	if _, err := client.Token(context.Background()); err != nil {
		b.Fatal(err)
	}
	return client
}
