"""Which commands of the pages tests execute, and which they cannot, with the reason. A command is in one of these."""

#: In this order, on a small home; with a text that it prints.
ON_A_HOME = {
    "ml-assets plan news/signup --from 2026-01-01 --to 2026-01-31": "3 runs, 6 partitions",
    "ml-assets backfill news/signup --from 2026-01-01 --to 2026-01-31": "made 6 of 6 partitions",
    "ml-assets debt": "12h: done 1",
    "dagster instance migrate": "Storage schema state after migration",
    'ml-assets harmless news/signup/model --reason "renamed a variable"': "notebooks/harmless.yaml",
    "ml-assets new news/signup --from-notebook ~/signup.ipynb": "notebooks/news_signup/model.ipynb",
}
#: Below headings of a page, or on a whole one ("").
ELSEWHERE = {
    ("docs/your-first-model.md", ""): "tests/loops/test_your_first_model.py",
    ("docs/production.md", "Back up"): "tests/loops/test_postgres_loop.py",
    ("docs/production.md", "Restore"): "tests/loops/test_postgres_loop.py",
    ("docs/production.md", "Upgrade to a release"): "tests/upgrades/test_upgrade_on_postgres.py",
    ("docs/your-project.md", "Begin one"): "tests/loops/test_other_project.py",
    ("docs/your-project.md", "Or add it to yours"): "tests/loops/test_other_project.py",
}
CANNOT = {
    "it is the tests themselves, or takes minutes and is executed whole by tests of its own": [
        "make demo",
        "make test",
    ],
    "it needs a bucket, or a cluster of HDFS: tests/loops/test_store_loops.py runs whole loops on servers of its own": [
        "export ML_ASSETS_STORAGE=s3://bucket/team AWS_ENDPOINT_URL=https://s3.example.com",
        "export ML_ASSETS_STORAGE=hdfs://namenode:8020/team",
        "make dev",
    ],
    "it needs Docker: tests/deploy/test_image.py runs the steps of the Dockerfile": [
        'docker build -f deploy/Dockerfile --build-arg EXTRA_REQUIREMENTS="moto[server] pgserver" -t ml-assets:test .',
        "docker build -f deploy/Dockerfile -t registry.example.com/ml-assets:1 .",
        'docker build -f deploy/Dockerfile --build-arg EXTRA_REQUIREMENTS="xgboost==3.0.2"'
        " -t registry.example.com/ml-assets:1-xgboost .",
    ],
    "it needs a cluster: tests/deploy holds what is applied against the schemas of Kubernetes": [
        "kind load docker-image ml-assets:test",
        "KUBECONFIG=~/.kube/config ML_ASSETS_IMAGE=ml-assets:test"
        " .venv/bin/python -m pytest -m k8s -n 0 tests/loops/test_kubernetes_loop.py",
        "helm repo add dagster https://dagster-io.github.io/helm",
        "kubectl apply -f deploy/k8s/beside-the-chart.yaml --namespace ml",
        "helm upgrade --install dagster dagster/dagster --version 1.13.27 --namespace ml -f deploy/k8s/values.yaml",
        "kubectl apply -k deploy/k8s/manifests --namespace ml",
    ],
    "it needs an account of Dagster+": [
        "dagster-cloud ci init && dagster-cloud ci set-build-output --image-tag=1 && dagster-cloud ci deploy",
    ],
    "it changes the machine, as root, or asks systemd: tests/deploy/test_units.py and tests/loops/test_postgres_loop.py run"
    " what the units run": [
        "apt-get install -y python3-venv make git curl libgomp1 postgresql",
        "git clone https://example.com/your/ml_assets.git /opt/ml-assets",
        "make -C /opt/ml-assets PYTHON=/usr/bin/python3 setup",
        "useradd --system --create-home --home-dir /var/lib/ml-assets --shell /bin/bash dagster",
        "chmod 750 /var/lib/ml-assets",
        "runuser -u postgres -- createuser --pwprompt dagster",
        "runuser -u postgres -- createdb --owner dagster dagster",
        "install -m 640 -g dagster /opt/ml-assets/deploy/systemd/ml-assets.env /etc/ml-assets.env",
        "install -m 640 -o dagster -g dagster /opt/ml-assets/deploy/dagster.yaml /var/lib/ml-assets/dagster.yaml",
        "cp /opt/ml-assets/deploy/systemd/*.service /opt/ml-assets/deploy/systemd/*.target /etc/systemd/system/",
        "systemctl daemon-reload",
        "systemctl enable --now ml-assets.target",
        "curl --fail-with-body --silent --show-error --max-time 20 http://127.0.0.1:3000/healthz",
        "su - dagster",
        "set -a; . /etc/ml-assets.env; set +a; cd /opt/ml-assets",
        "systemctl stop ml-assets-code",
        "systemctl stop ml-assets.target",
        "git -C /opt/ml-assets switch main && git -C /opt/ml-assets pull && make -C /opt/ml-assets setup &&",
        "cp /opt/ml-assets/deploy/systemd/*.service /opt/ml-assets/deploy/systemd/*.target /etc/systemd/system/"
        " && systemctl daemon-reload",
        "systemctl start ml-assets.target",
    ],
}
#: Options of other programs than `ml-assets` of which the pages speak alone, with the program.
OPTIONS_OF_OTHERS = {
    "--build-arg": "docker",
    "--folder": "tests.upgrades.make_home",
    "--host": "dagster-webserver",
    "--hypothesis-profile": "pytest",
    "--module-name": "dagster api grpc",
    "--one-in": "pytest",
    "--path-prefix": "dagster-webserver",
}
