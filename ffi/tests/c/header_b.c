/* The other file of header_a.c. */
#include <idem.h>

const char *other_version(void);

const char *other_version(void) {
    return idem_version();
}
