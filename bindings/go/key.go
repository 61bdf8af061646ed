package idem

// A Key names one logical operation. The zero Key is none: make one with Scoped, Global, Raw or
// FingerprintKey. Keys are plain values, and comparable.
type Key struct {
	ns          *Namespace
	scope, name string
	bits        [16]byte
	kind        uint8
	scopeKind   uint8
}

// Scoped is the key of these bytes for one tenant, user or account: each of 1 to 65536 bytes. The
// same key in two scopes is two keys.
func Scoped(scope, key string) Key {
	return Key{scope: scope, name: key, kind: keyBytes, scopeKind: scopeOf}
}

// Global is the key of these bytes, 1 to 65536 of them, which is the same for everybody.
func Global(key string) Key {
	return Key{name: key, kind: keyBytes, scopeKind: scopeNone}
}

// Raw is a key of the caller's own 128 bits, little endian. They are the whole identity: evenly
// spread, and hard to forge where callers are not trusted.
func Raw(bits [16]byte) Key {
	return Key{bits: bits, kind: keyRaw, scopeKind: scopeNone}
}

// FingerprintKey is the key of what a request says, where it has no key of its own: identical
// requests of one scope are one operation. An empty scope is none.
func FingerprintKey(scope string, fingerprint Fingerprint) Key {
	key := Key{bits: fingerprint.bits, kind: keyFingerprint, scopeKind: scopeNone}
	if !fingerprint.made {
		key.kind = 0
	}
	if scope != "" {
		key.scope, key.scopeKind = scope, scopeOf
	}
	return key
}

// In is the key in a namespace; nil is the default one.
func (k Key) In(ns *Namespace) Key {
	k.ns = ns
	return k
}

// ask begins what is asked of a key. Nil if the key is good.
func (k *Key) ask(e *Engine, ask *cAsk) error {
	if k.kind == 0 {
		return errNoKey
	}
	if k.ns != nil {
		if k.ns.handle == nil || k.ns.handle.engine != e {
			return errOtherEngine
		}
		ask.ns = cWord(k.ns.handle.c)
	}
	ask.kind = cHalf(k.kind)
	ask.scope_kind = cHalf(k.scopeKind)
	ask.key_len = cWord(len(k.name))
	ask.scope_len = cWord(len(k.scope))
	setBits(&ask.bits, &k.bits)
	return nil
}

var (
	errNoKey       = invalid("the key is of no kind: make it with Scoped, Global or their like")
	errOtherEngine = invalid("the namespace is another engine's, or of none")
)
