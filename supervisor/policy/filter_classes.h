/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILTER_CLASSES_H
#define POLICY_FILTER_CLASSES_H

#include "policy/filter.h"

#include <stdbool.h>

/*
 * Which calls of a row are alike.  Neither the row nor the program sees more of an argument than
 * the outcome of each test that they put to it.  So calls for which all these tests come out the
 * same get the same answer from the row, and the same from the program: one of them is worth
 * running.  The tests are read off the row and off the instructions that can be reached with its
 * number; where an instruction does more than test a word, all calls are different.
 */
struct filter_classes;

/** filter_classes_new() - NULL when out of memory. */
struct filter_classes *filter_classes_new(void);
void filter_classes_free(struct filter_classes *classes);

/**
 * filter_classes_begin() - forget what was, and go by @row.
 * @program: has passed bpf_check()
 * Return: whether calls can be told apart; if not, each is a new one.
 */
bool filter_classes_begin(struct filter_classes *classes, const struct sock_fprog *program,
			  const struct filter_row *row);

/** filter_classes_is_new() - false: a call like it was asked for since filter_classes_begin(). */
bool filter_classes_is_new(struct filter_classes *classes, const uint64_t args[6]);

/** filter_classes_set_base() - @args: what filter_classes_is_new_low() goes by from now on. */
void filter_classes_set_base(struct filter_classes *classes, const uint64_t args[6]);

/** filter_classes_is_new_low() - as filter_classes_is_new() for the base with @low in the low half of @arg. */
bool filter_classes_is_new_low(struct filter_classes *classes, unsigned int arg, uint32_t low);

#endif
