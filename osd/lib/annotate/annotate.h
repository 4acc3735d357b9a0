/*
 * Annotations of state for service authors. They say what the types cannot; the
 * build copies them into the state description. Each goes after the declared
 * name (variables, members) or after the closing brace (types):
 *
 *	static int cache_fd STATE_SKIP;
 *	struct value {
 *		enum value_kind kind;
 *		union {
 *			int64_t number STATE_WHEN(VALUE_NUMBER);
 *			char *text STATE_WHEN(VALUE_TEXT);
 *		} u STATE_TAG(kind);
 *	};
 *
 * When old and new release disagree the new one's word counts, except that
 * STATE_SKIP holds if either says it.
 */
#pragma once

#if defined(__has_attribute)
#if __has_attribute(btf_decl_tag)
#define STATE_NOTE(text) __attribute__((btf_decl_tag("state:" text)))
#endif
#endif
#ifndef STATE_NOTE
#define STATE_NOTE(text)
#endif

#define STATE_TEXT_(x) #x
#define STATE_TEXT(x) STATE_TEXT_(x)

/* Variable, member or type: starts fresh in every instance. */
#define STATE_SKIP STATE_NOTE("skip")

/*
 * Variable, member or type: copied as bytes, whatever its type; sizes must be equal. On a constant
 * table, which is not copied: pointers into it keep their row's number, whatever the row says.
 */
#define STATE_RAW STATE_NOTE("raw")

/*
 * Member that is a union, or a union type: the named sibling of the union says which
 * of the union's members is alive. The sibling is a member of the struct around the union.
 */
#define STATE_TAG(member) STATE_NOTE("tag=" STATE_TEXT(member))

/*
 * Member of a tagged union: alive when the tag has this value, an enumerator of
 * the tag's type or an integer. May be given more than once, but a value is one member's only.
 */
#define STATE_WHEN(value) STATE_NOTE("when=" STATE_TEXT(value))

/*
 * Beside STATE_TAG(): at this value of the tag the union holds nothing, whatever its
 * bytes are. May be given more than once. At a value that is nobody's the transfer
 * refuses, unless the bytes are zeros.
 */
#define STATE_EMPTY(value) STATE_NOTE("empty=" STATE_TEXT(value))
/* The same for every value that no member claims. */
#define STATE_EMPTY_ELSE STATE_NOTE("empty")

/*
 * Member that is a pointer: the named sibling counts the elements it leads to. The
 * transfer refuses when the object pointed to holds fewer.
 */
#define STATE_LENGTH(member) STATE_NOTE("length=" STATE_TEXT(member))

/*
 * Variable, member or type: moved by a function of this name, a state_handler_t of
 * the new release (state_transfer.h). The function must not be static, and be used somewhere
 * (STATE_HANDLER_USED on its definition does).
 */
#define STATE_HANDLER(function) STATE_NOTE("handler=" STATE_TEXT(function))
#define STATE_HANDLER_USED __attribute__((used, retain))

/*
 * Variable, member or type: the meaning changed although the layout may not have. If the
 * numbers of old and new differ (none is 0), a handler is needed, and is told both.
 */
#define STATE_VERSION(number) STATE_NOTE("version=" STATE_TEXT(number))

/*
 * Variable, function, member or struct, union, enum type: pairs with this name of the old release.
 * On a function with its own name: it is that one still, although it is called in another way.
 */
#define STATE_RENAMED_FROM(name) STATE_NOTE("renamed=" STATE_TEXT(name))

/*
 * Variable or function: pairs with the one that was in this source file of the old release, and in
 * this function if it was in one: STATE_MOVED_FROM(store.c), STATE_MOVED_FROM(ds/store.c, find).
 * Add STATE_RENAMED_FROM() if its name changed too. What is the only one of its name and type in
 * both releases is found without. A function has it behind its declarator.
 */
#define STATE_MOVED_FROM(...) STATE_NOTE("moved=" #__VA_ARGS__)

/*
 * State that this release has no place for, on purpose; what is not named refuses the update.
 * Members: behind the closing brace of the struct or union that had them. Variables and heap
 * objects of a type that is gone: a line of their own, at file scope:
 *
 *	struct entry { ... } STATE_DROPPED(expiry);
 *	STATE_DROPPED_VARIABLE(n_hits);               of this source file
 *	STATE_DROPPED_VARIABLE(find:cache);           of its function find()
 *	STATE_DROPPED_VARIABLE(ds/old.c:n_hits);      of a source file that is gone
 *	STATE_DROPPED_TYPE(struct pending);
 */
#define STATE_DROPPED(member) STATE_NOTE("dropped=" #member)
#define STATE_DROPPED_VARIABLE(name) STATE_WITNESS(STATE_NOTE("dropped_variable=" #name))
#define STATE_DROPPED_TYPE(type) STATE_WITNESS(STATE_NOTE("dropped_type=" #type))

/* Variable, member or type: a release that lacks it may drop it, so that the way back from the
 * release that introduces it stays open. */
#define STATE_EXPENDABLE STATE_NOTE("expendable")

/* A byte that is never read, so that there is something to hang a note on. */
#define STATE_WITNESS(note) STATE_WITNESS_(__COUNTER__, note)
#define STATE_WITNESS_(n, note) STATE_WITNESS__(n, note)
#define STATE_WITNESS__(n, note)                                                                   \
	static const char state_witness_##n __attribute__((used, retain)) note = 0
