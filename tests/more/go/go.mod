module github.com/tokenwell/tokenwell/tests/more/go

go 1.24

require github.com/tokenwell/tokenwell/bindings/go v0.0.0

replace github.com/tokenwell/tokenwell/bindings/go => ../../../bindings/go
