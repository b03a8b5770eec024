/*
 * cmocka, behind the standard headers that it wants before it and does not include itself.
 * Every test includes this file first.
 */
#ifndef VIGIE_TESTS_CMOCKA_H
#define VIGIE_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
