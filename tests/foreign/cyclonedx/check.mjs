import {readFileSync} from 'node:fs'
import * as C from '@cyclonedx/cyclonedx-library'
const validator = new C.Validation.JsonStrictValidator(C.Spec.Version.v1dot6)
const found = await validator.validate(readFileSync(process.argv[2], 'utf8'))
console.log(found === null ? 'valid' : JSON.stringify(found)); process.exit(found === null ? 0 : 1)
