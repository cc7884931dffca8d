"""A worker without a port: `celery -A storefront.tasks worker`, and `beat` to feed it."""

import os

import django
from celery import Celery
from celery.utils.log import get_task_logger

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
django.setup()

log = get_task_logger(__name__)

# A folder stands in for the broker that a real shop would have.
queue = os.environ.get("CELERY_QUEUE_FOLDER", "/queue")
app = Celery("storefront", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": queue,
    "data_folder_out": queue,
    "control_folder": f"{queue}/control",
}
app.conf.beat_schedule = {"count": {"task": "storefront.tasks.count_open_orders", "schedule": 1.0}}


@app.task
def count_open_orders():
    """Log how many orders are open; fails unless every column used here exists."""
    from orders.models import Order

    log.info("%d open orders", Order.objects.filter(archived=False).count())
