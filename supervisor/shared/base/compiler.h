/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

/*
 * Leaves a large local variable uninitialised although the build asks for
 * -ftrivial-auto-var-init=zero: on the hot path, clearing a buffer that is written
 * before it is read costs more than the call.  Every use says who writes it.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

/** CONTAINER_OF() - the struct of @type that @pointer's target is the @member of. */
#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
