"""Whether Spark can run here."""

import os
import shutil

JAVA = shutil.which("java") or os.environ.get("JAVA_HOME")
NO_JAVA = "Java is missing; on Debian: apt-get install openjdk-17-jre-headless"
