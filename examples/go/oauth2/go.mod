module github.com/tokenwell/tokenwell/examples/go/oauth2

go 1.24.0

require (
	github.com/tokenwell/tokenwell/bindings/go v0.0.0
	github.com/tokenwell/tokenwell/bindings/go/oauth2 v0.0.0
)

require golang.org/x/oauth2 v0.34.0 // indirect

replace (
	github.com/tokenwell/tokenwell/bindings/go => ../../../bindings/go
	github.com/tokenwell/tokenwell/bindings/go/oauth2 => ../../../bindings/go/oauth2
)
