/*
 * The forms that an answer with what is stored may have: JSON, or rows of CSV where those are asked for. Pure.
 */
#ifndef VIGIE_FCGI_MEDIA_H
#define VIGIE_FCGI_MEDIA_H

enum media { MEDIA_JSON, MEDIA_CSV };

/* The value of the header Content-Type. */
const char *media_type(enum media media);

/* What the header Accept of a request wants (RFC 9110, 12.5.1): MEDIA_CSV where its quality is the higher one, or is equal
 * and CSV alone is named; else, as where there is none (""), MEDIA_JSON. */
enum media media_choose(const char *accept);

#endif
