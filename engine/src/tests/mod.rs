//! Tests of the contract, named by its rules, under every geometry.
