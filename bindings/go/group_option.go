package idem

import (
	"crypto/sha256"
	"reflect"
	"strconv"
	"unsafe"
)

// A GroupOption changes the terms of a Group. An Option is one as well: it is then that of each
// call that does not say otherwise.
type GroupOption interface{ into(*groupTerms) error }

// groupTerms are the options of a group, before its types are known to fit.
type groupTerms struct {
	calls    []Option
	limits   *NamespaceConfig
	keyBytes any
	weight   any
}

type groupOption func(*groupTerms)

func (o groupOption) into(made *groupTerms) error {
	o(made)
	return nil
}

func (o Option) into(made *groupTerms) error {
	made.calls = append(made.calls, o)
	return nil
}

// WithKeyBytes says how a Group tells keys of type K apart: equal bytes, equal keys. Needed where K
// is no string, integer or array of bytes.
func WithKeyBytes[K comparable](bytes func(K) []byte) GroupOption {
	return groupOption(func(made *groupTerms) { made.keyBytes = bytes })
}

// WithWeight says how many bytes a kept value counts against Config.Bytes, Config.MaxResponse and
// the limits of the namespace. By default it is the size of a V, and the length of a string or
// []byte besides: what a value points to is only known to who made it. Less than 0 is 0.
func WithWeight[V any](weight func(V) int) GroupOption {
	return groupOption(func(made *groupTerms) { made.weight = weight })
}

// WithLimits gives the group's namespace limits and terms of its own. Retention and Lease are not
// looked at: WithRetention and WithMaxRun say those. The name of such a namespace is not used
// again, so make no such groups without end.
func WithLimits(limits NamespaceConfig) GroupOption {
	return groupOption(func(made *groupTerms) { made.limits = &limits })
}

const groupCallOptions = claimOptions | optMaxRun | optFinish | optOnError

// apply puts the options of a call of a Group into its terms.
func (t *terms) applyGroup(options []Option) error {
	if len(options) == 0 {
		return nil
	}
	if err := t.apply(options, groupCallOptions); err != nil {
		return err
	}
	if t.onError == keepError {
		return invalid("WithKeepError is no option of a Group")
	}
	if t.maxRun != 0 {
		t.lease = t.maxRun
	}
	return nil
}

// How the bytes of a key are come by.
type keyShape uint8

const (
	keyOfString keyShape = iota + 1
	keyOfMemory
	keyOfCaller
)

// shapeOf is the shape of keys of a type, if it is one whose memory is its identity.
func shapeOf(key reflect.Type) (keyShape, bool) {
	switch key.Kind() {
	case reflect.String:
		return keyOfString, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return keyOfMemory, true
	case reflect.Array:
		if key.Elem().Kind() == reflect.Uint8 && key.Len() > 0 {
			return keyOfMemory, true
		}
	}
	return 0, false
}

// name is the bytes of a key. It has k's memory.
func (g *Group[K, V]) name(k *K) string {
	switch g.shape {
	case keyOfString:
		return *(*string)(unsafe.Pointer(k))
	case keyOfMemory:
		return unsafe.String((*byte)(unsafe.Pointer(k)), unsafe.Sizeof(*k))
	}
	bytes := g.keyBytes(*k)
	return unsafe.String(unsafe.SliceData(bytes), len(bytes))
}

// key is the engine's key of a group's. It has k's memory.
func (g *Group[K, V]) key(k *K) Key {
	name := g.name(k)
	if g.direct != nil {
		return g.direct.key(name)
	}
	made := Key{ns: g.space, scope: g.scope, name: name, kind: keyBytes, scopeKind: scopeNone}
	if g.scope != "" {
		made.scopeKind = scopeOf
	}
	if len(name) == 0 || len(name) > longestKey {
		// The library has none of these lengths; here they are keys as any other.
		made.kind, made.bits, made.name = keyFingerprint, hashOf(name), ""
	}
	return made
}

func hashOf(name string) [16]byte {
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(name), len(name)))
	return [16]byte(sum[:16])
}

// groupSpace is a namespace for a group: with limits one of its own for good, otherwise one that
// another group may have had.
func (e *Engine) groupSpace(limits *NamespaceConfig) (*Namespace, error) {
	calls := e.enter()
	if calls == nil {
		return nil, ErrClosed
	}
	defer calls.exit()
	e.lock.Lock()
	var name string
	if last := len(e.groupNames) - 1; last >= 0 && limits == nil {
		name, e.groupNames = e.groupNames[last], e.groupNames[:last]
	} else {
		name = "libidem.dev/go group " + strconv.Itoa(e.groups)
		e.groups++
	}
	e.lock.Unlock()
	reuse := name
	if limits != nil {
		reuse = ""
	}
	c, err := crossNamespace(e.c, name, limits)
	if err != nil {
		return nil, err
	}
	return e.namespace(c, reuse), nil
}
