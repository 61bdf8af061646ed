module libidem.dev/go/bench

go 1.24

require (
	golang.org/x/sync v0.11.0
	libidem.dev/go v0.0.0
)

replace libidem.dev/go => ../
