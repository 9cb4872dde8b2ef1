module github.com/tokenwell/tokenwell/bindings/go/oauth2

go 1.24.0

require github.com/tokenwell/tokenwell/bindings/go v0.0.0

require golang.org/x/oauth2 v0.34.0

replace github.com/tokenwell/tokenwell/bindings/go => ../
