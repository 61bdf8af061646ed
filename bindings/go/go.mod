module libidem.dev/go

go 1.24
