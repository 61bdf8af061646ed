/* The header, twice in one file and in two files of one program: nothing is defined more than once. */
#include <idem.h>
#include <idem.h>

const char *other_version(void);

int main(void) {
    idem_claim_t claim = idem_claim_init(idem_key_global("k", 1));
    return idem_version() == other_version() && claim.struct_size == sizeof claim ? 0 : 1;
}
