module libidem.dev/go/bench/gopotency

go 1.25.0

require (
	github.com/fco-gt/gopotency v0.0.0
	libidem.dev/go v0.0.0
)

// tools/go.sh adds where the other is, in a copy of this file.
replace libidem.dev/go => ../../
