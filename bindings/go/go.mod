module github.com/tokenwell/tokenwell/bindings/go

go 1.24
