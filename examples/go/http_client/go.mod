module github.com/tokenwell/tokenwell/examples/go/http_client

go 1.24

require github.com/tokenwell/tokenwell/bindings/go v0.0.0

replace github.com/tokenwell/tokenwell/bindings/go => ../../../bindings/go
