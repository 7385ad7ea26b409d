/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

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

#endif
