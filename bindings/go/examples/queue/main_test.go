package main

import "testing"

func TestEveryMessageIsHandledOnce(t *testing.T) {
	if err := run(); err != nil {
		t.Fatal(err)
	}
}
